package main

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx/v2/common"
	"github.com/spdx/tools-golang/spdx/v2/v2_3"
)

const unknownFact = "NOASSERTION" // SPDX's word

// describeBinary returns an SPDX 2.3 document in JSON with every module that is linked into the binary, as the binary
// itself says it, and Go's standard library. The emulator has no module but that.
func describeBinary(source sourceFacts, b binary) ([]byte, error) {
	info, err := buildinfo.ReadFile(b.path)
	if err != nil {
		return nil, fmt.Errorf("read the modules of %s: %w", b.path, err)
	}
	content, err := os.ReadFile(b.path)
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(content)
	program := v2_3.Package{
		PackageName: b.command, PackageVersion: source.version, PackageSPDXIdentifier: "Package-" + common.ElementID(b.command),
		PackageDownloadLocation: unknownFact, PrimaryPackagePurpose: "APPLICATION",
		PackageLicenseConcluded: "Apache-2.0", PackageLicenseDeclared: "Apache-2.0", PackageCopyrightText: unknownFact,
		PackageChecksums: []common.Checksum{{Algorithm: common.SHA256, Value: hex.EncodeToString(digest[:])}},
	}
	document := v2_3.Document{
		SPDXVersion: v2_3.Version, DataLicense: v2_3.DataLicense, SPDXIdentifier: "DOCUMENT",
		DocumentName:      fmt.Sprintf("%s %s for %s", b.command, source.version, b.platform),
		DocumentNamespace: namespaceOf(digest),
		CreationInfo: &v2_3.CreationInfo{
			Creators: []common.Creator{{CreatorType: "Tool", Creator: "kafka-firehose-release"}},
			Created:  source.committed.Format(time.RFC3339),
		},
		Packages:      []*v2_3.Package{&program},
		Relationships: []*v2_3.Relationship{relate("DOCUMENT", common.TypeRelationshipDescribe, program.PackageSPDXIdentifier)},
	}
	standard := &debug.Module{Path: "stdlib", Version: strings.TrimPrefix(info.GoVersion, "go")}
	for i, module := range append([]*debug.Module{standard}, info.Deps...) {
		if module.Replace != nil {
			module = module.Replace
		}
		p := describeModule(module, i)
		document.Packages = append(document.Packages, p)
		document.Relationships = append(document.Relationships, relate(program.PackageSPDXIdentifier, common.TypeRelationshipDependsOn, p.PackageSPDXIdentifier))
	}
	var out bytes.Buffer
	if err := spdxjson.Write(&document, &out, spdxjson.Indent("  ")); err != nil {
		return nil, fmt.Errorf("write the SBOM of %s: %w", b.command, err)
	}
	return out.Bytes(), nil
}

// describeModule is the package of a module. Its identifier is a number: paths have characters that SPDX doesn't take.
func describeModule(module *debug.Module, number int) *v2_3.Package {
	return &v2_3.Package{
		PackageName: module.Path, PackageVersion: module.Version, PackageSPDXIdentifier: "Module-" + common.ElementID(strconv.Itoa(number)),
		PackageDownloadLocation: unknownFact, PackageLicenseConcluded: unknownFact, PackageLicenseDeclared: unknownFact, PackageCopyrightText: unknownFact,
		PackageExternalReferences: []*v2_3.PackageExternalReference{{
			Category: common.CategoryPackageManager, RefType: common.TypePackageManagerPURL, Locator: "pkg:golang/" + module.Path + "@" + module.Version,
		}},
	}
}

func relate(from common.ElementID, kind string, to common.ElementID) *v2_3.Relationship {
	return &v2_3.Relationship{
		RefA: common.MakeDocElementID("", string(from)), RefB: common.MakeDocElementID("", string(to)), Relationship: kind,
	}
}

// namespaceOf is a URI that no other document has and that needs no address: a UUID made from the binary's digest.
func namespaceOf(digest [sha256.Size]byte) string {
	id := digest[:16]
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80 // version 8: made by a rule of one's own
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

// readModules returns the names and versions of an SBOM's packages.
func readModules(document []byte) (map[string]string, error) {
	parsed, err := spdxjson.Read(bytes.NewReader(document))
	if err != nil {
		return nil, fmt.Errorf("read an SBOM: %w", err)
	}
	modules := map[string]string{}
	for _, p := range parsed.Packages {
		modules[p.PackageName] = p.PackageVersion
	}
	if len(modules) == 0 {
		return nil, errors.New("the SBOM is empty")
	}
	return modules, nil
}
