package env

import (
	"regexp"
	"slices"
	"strings"
)

// SuggestName returns the name that was most likely meant by an unknown one: one that is a
// slip or two away, that has the same words in another order or number, or that has the same first
// word and one word more or less. Among equals it is the first.
func SuggestName(name string, known []string) (meant string, ok bool) {
	name = strings.NewReplacer("-", "_", ".", "_").Replace(strings.ToUpper(name))
	best := tooFar
	for _, k := range known {
		if d := nameDistance(name, k); d < best {
			meant, best = k, d
		}
	}
	return meant, best < tooFar
}

// SuggestMember is SuggestName for names in lower case, such as those of members in JSON.
func SuggestMember(name string, known []string) (meant string, ok bool) {
	upper := make([]string, len(known))
	for i, k := range known {
		upper[i] = strings.ToUpper(k)
	}
	meant, ok = SuggestName(name, upper)
	return strings.ToLower(meant), ok
}

const tooFar = 4

// nameDistance grades how unlikely it is that k was meant.
func nameDistance(name, k string) int {
	allowed := 2
	if len(k) < 10 {
		allowed = 1 // two slips in a short name make another word
	}
	if d := editDistance(name, k); d <= allowed {
		return d
	}
	a, b := nameWords(name), nameWords(k)
	sortedA, sortedB := slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	switch {
	case slices.Equal(sortedA, sortedB):
		return 1
	case a[0] == b[0] && min(len(a), len(b)) > 1 && (oneMore(sortedA, sortedB) || oneMore(sortedB, sortedA)):
		return 3
	}
	return tooFar
}

// nameWords takes a name apart and the plural off its words.
func nameWords(name string) []string {
	all := strings.Split(name, "_")
	for i, w := range all {
		all[i] = strings.TrimSuffix(w, "S")
	}
	return all
}

// oneMore reports whether long is short and one word beside; both are sorted.
func oneMore(long, short []string) bool {
	if len(long) != len(short)+1 {
		return false
	}
	i := 0
	for i < len(short) && long[i] == short[i] {
		i++
	}
	return slices.Equal(long[i+1:], short[i:])
}

// editDistance counts the slips between two names: a character too many, too few or wrong, or two that
// changed places (Damerau-Levenshtein, where no part is edited twice).
func editDistance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			wrong := 1
			if a[i-1] == b[j-1] {
				wrong = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+wrong)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}

var (
	serviceName = regexp.MustCompile(`_SERVICE_HOST$|_SERVICE_PORT(_[A-Z0-9_]+)?$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$`)
	serviceURL  = regexp.MustCompile(`^(tcp|udp|sctp)://`)
)

// IsInjected reports whether Kubernetes put the variable there for a Service of the namespace. It does
// that in every pod unless enableServiceLinks is false, and a Service named kafka or schema-registry
// then takes the prefix of our settings.
func IsInjected(name, value string) bool {
	return serviceName.MatchString(name) || strings.HasSuffix(name, "_PORT") && serviceURL.MatchString(value)
}
