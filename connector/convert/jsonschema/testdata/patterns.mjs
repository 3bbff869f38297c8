// Writes random patterns of ECMA 262, one a line, with texts and whether they match:
//
//	node patterns.mjs <number of patterns>
let seed = 7;
function below(n) {
	seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
	return Math.floor((seed / 2 ** 32) * n);
}
const pick = (list) => list[below(list.length)];
let groups = 0;

const atoms = ["a", "b", "c", "1", "é", "😀", " ", "-", ".", "\\.", "\\d", "\\D", "\\w", "\\W", "\\s", "\\S", "\\n", "\\t", "\\u0061", "\\u{1F600}", "\\uD83D\\uDE00", "\\x62", "\\cJ", "\\/", "\\-", "[abc]", "[a-c1]", "[^a]", "[^\\s]", "[\\s\\S]", "[\\d-]", "[-a]", "[a\\-c]", "[]", "[^]", "[\\b]", "[^\\S\\n]", "[\\u0061-\\u0063]", "\\p{L}", "\\p{Lu}", "\\P{L}", "\\p{Letter}", "\\p{Script=Greek}", "[\\p{L}\\d]", "[\\]\\[]", "[.]", "[$^]"];
const quantifiers = ["", "", "", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,3}", "{0,2}?", "{2,}", "{1,3}"];

function part(depth) {
	const kind = below(10);
	if (depth < 3 && kind === 0) return pick(["(", "(?:", `(?<g${++groups}>`]) + pattern(depth + 1) + ")" + pick(quantifiers);
	if (kind === 1) return pick(["^", "$", "\\b", "\\B"]);
	return pick(atoms) + (below(60) ? pick(quantifiers) : pick(["{0,1200}", "{1001,}", "{1,1100}?"]));
}

function pattern(depth) {
	let s = "";
	for (let n = 1 + below(3); n > 0; n--) s += part(depth);
	return below(5) === 0 && depth < 3 ? s + "|" + pattern(depth + 1) : s;
}

function text() {
	let s = "";
	for (let n = below(7); n > 0; n--) s += pick(["a", "b", "c", "1", "é", "😀", " ", "-", ".", "\n", "\t", "A", "Ω", "\u00a0", "\u2028", "\ufeff", "\r", "/", "_"]);
	return s;
}

for (let n = Number(process.argv[2]); n > 0; n--) {
	let s = pattern(0);
	if (below(3) === 0) s = "^" + pick(["(?=", "(?!"]) + pattern(1) + ")" + (below(2) ? "(?=.*" + pattern(1) + ")" : "") + s;
	let re;
	try {
		re = new RegExp(s, "u");
	} catch {
		continue;
	}
	const long = /[(*+,]/.test(s.replaceAll("{0,1200}", "").replaceAll("{1001,}", "").replaceAll("{1,1100}?", "")) ? [] : ["a".repeat(1100)]; // others take an exponential time
	const texts = [...long, ...Array.from({ length: 20 }, text)];
	console.log(JSON.stringify({ pattern: s, texts, matches: texts.map((t) => re.test(t)) }));
}
