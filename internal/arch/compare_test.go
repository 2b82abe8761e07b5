package arch

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// secretive are the last words of names that may stand for something secret, or for
// what proves that somebody knows it.
var secretive = regexp.MustCompile(`(?i)(secret|hash|hmac|mac|sum|signature|digest|token|password|nonce|challenge|verifier|ticket)s?(\(\))?$`)

// compared are comparisons of what only sounds secret, each with why its time tells nothing.
var compared = map[string]string{
	"internal/breach/file.go: hash == sha1":                              "the name of an algorithm",
	"internal/credential/factors.go: held.Hash != f.Hash":                "two readings of one row",
	"internal/dialect/native/idempotency.go: earlier != hash":            "what the caller's own two requests said",
	"internal/dialect/truto/account.go: actor.Claims[0] == accountToken": "the name of a kind of token",
	"internal/dialect/openid/openid.go: e.path == slashed.token":         "a path",
	"internal/erasure/again.go: r.Previous != end.Hash":                  "a ledger that anybody may read",
	"internal/ledger/ledger.go: l.Previous != c.Last.Hash":               "a ledger that anybody may read",
	"cmd/guildhall/apply.go: r.Hash != links[have].Hash":                 "a ledger that anybody may read",
	"cmd/guildhall/archive.go: hex.EncodeToString(hash.Sum(nil)) != sum": "the checksum of a file",
	"cmd/guildhall/ledger.go: r.Hash != l.Hash":                          "a ledger that anybody may read",
	"internal/oidc/decide.go: a.HandleHash != s.handleHash(name)":        "a keyed hash by which the row was found, looked at again under its lock",
	"internal/web/login/own.go: s.DeviceHash == in.DeviceHash":           "two sessions of one person, who is shown which are of one device",
	"internal/oidc/token.go: challenge == verifier":                      "one of the two is empty",
}

// leakyComparisons finds secrets that are compared so that the time tells how much of
// them was right: by an operator, or byte by byte.
func leakyComparisons(t *tree) (findings []string) {
	met := map[string]bool{}
	for _, p := range t.packages {
		if p.forTests() || below(p.path, "e2e") || below(p.path, "bench") {
			continue
		}
		for _, f := range p.code() {
			ast.Inspect(f.ast, func(n ast.Node) bool {
				e, leaky := n.(ast.Expr)
				if leaky = leaky && comparesSecrets(e); !leaky {
					return true
				}
				what := f.path + ": " + types.ExprString(e)
				if met[what] = true; compared[what] == "" {
					findings = append(findings, fmt.Sprintf("%s (line %d): compare secrets by crypto/subtle, or by looking their hash up; if it is no secret, say so in the list of this test",
						what, t.fset.Position(n.Pos()).Line))
				}
				return true
			})
		}
	}
	for what := range compared {
		if file, _, _ := strings.Cut(what, ":"); !met[what] && t.has(file) {
			findings = append(findings, what+": is not there any more; take it off the list")
		}
	}
	return findings
}

func (t *tree) has(file string) bool {
	return slices.ContainsFunc(t.texts, func(f textFile) bool { return f.path == file })
}

func comparesSecrets(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.BinaryExpr:
		return (e.Op == token.EQL || e.Op == token.NEQ) && !written(e.X) && !written(e.Y) && (secretive.MatchString(types.ExprString(e.X)) || secretive.MatchString(types.ExprString(e.Y)))
	case *ast.CallExpr:
		switch types.ExprString(e.Fun) {
		case "bytes.Equal", "bytes.Compare", "strings.Compare", "strings.EqualFold", "reflect.DeepEqual":
			return slices.ContainsFunc(e.Args, func(a ast.Expr) bool { return secretive.MatchString(types.ExprString(a)) })
		}
	}
	return false
}

// written reports what stands in the source for everybody to read: literals, and
// constants by their exported names.
func written(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.BasicLit:
		return true
	case *ast.Ident:
		return e.Name == "nil" || e.Name == "true" || e.Name == "false" || e.IsExported()
	case *ast.SelectorExpr: // of a package: its name is written small and has no dot
		x, ok := e.X.(*ast.Ident)
		return ok && packaged[x.Name] && e.Sel.IsExported()
	case *ast.UnaryExpr:
		return written(e.X)
	}
	return false
}

// packaged are the packages whose constants have such names.
var packaged = map[string]bool{"credential": true, "authn": true, "session": true, "oidc": true, "token": true, "http": true, "codes": true, "jose": true}

// TestT_K03_SecretsAreComparedInConstantTime reads how secrets are compared. Most are
// not compared at all: their hash is looked up.
func TestT_K03_SecretsAreComparedInConstantTime(t *testing.T) {
	report(t, leakyComparisons)
}

// TestLeakyComparisonsAreFound proves that the rule can fail.
func TestLeakyComparisonsAreFound(t *testing.T) {
	for condition, found := range map[string]int{
		"secret == c.SecretHash": 1, "Hash(p.Secret) != c.SecretHash": 1, "bytes.Equal(mac, want)": 1, "p.Nonce == want": 1, "token != nil && token != \"\"": 0,
		"f.Kind == credential.Password": 0, "subtle.ConstantTimeCompare(mac, want) == 1": 0, "m == ByTicket": 0, "strings.EqualFold(scheme, \"Basic\")": 0, "len(secret) == 3": 0,
	} {
		tree, err := load(fstest.MapFS{"internal/x/x.go": {Data: []byte("package x\n\nfunc f() bool { return " + condition + " }\n")}})
		if err != nil {
			t.Fatal(err)
		}
		if got := leakyComparisons(tree); len(got) != found {
			t.Errorf("%s: %v", condition, got)
		}
	}
}
