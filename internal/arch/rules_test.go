package arch

// The tables of this file are the architecture. A package that no row names fails the tests: decide first where it
// belongs, then add the row. docs/decisions/0003-seam.md and 0006-packages.md say why the rows are what they are.

// module is the path of our own module.
const module = "guildhall"

// A room is a folder with what its packages may import of ours. Folders below belong to the room and may import each
// other. "*" stands for one folder name: each match is a room of its own.
type room struct {
	in  string
	may string // names below internal/, or of groups
}

var groups = map[string][]string{
	"vocabulary": {"fault", "id", "access", "query", "event"},
	"domain": {
		"erasure", "directory", "project", "realm", "credential", "session", "authn", "token", "oidc", "sso", "scim",
		"audit", "webhook", "guard", "vault", "notify", "archive",
	},
	"everything": {"*"}, // except packages for tests
}

// rooms is ordered from the lowest layer to the highest. No row may name a room that stands below it.
var rooms = []room{
	// Vocabulary: words without behaviour that needs a database or a network.
	{in: "internal/fault"},
	{in: "internal/id", may: "fault"},
	{in: "internal/access", may: "fault id"},
	{in: "internal/query", may: "fault id"},
	{in: "internal/event", may: "id"},
	{in: "internal/liquid"},
	{in: "internal/locale"},

	// Domain: each names the other domain packages it may know.
	{in: "internal/erasure", may: "vocabulary"},
	{in: "internal/notify", may: "vocabulary liquid locale"},
	{in: "internal/directory", may: "vocabulary erasure notify"},
	{in: "internal/realm", may: "vocabulary erasure"},
	{in: "internal/project", may: "vocabulary directory erasure"},
	{in: "internal/vault", may: "vocabulary"},
	{in: "internal/token", may: "vocabulary vault"},
	{in: "internal/guard", may: "vocabulary"},
	{in: "internal/session", may: "vocabulary directory vault"},
	{in: "internal/credential", may: "vocabulary directory vault"},
	{in: "internal/sso", may: "vocabulary directory vault"},
	{in: "internal/authn", may: "vocabulary directory erasure realm session credential guard sso vault notify"},
	{in: "internal/oidc", may: "vocabulary directory credential token session authn vault"},
	{in: "internal/scim", may: "vocabulary directory"},
	{in: "internal/audit", may: "vocabulary"},
	{in: "internal/webhook", may: "vocabulary vault"},
	{in: "internal/archive", may: "vocabulary directory"},

	// What the domain stands on, and what it reaches out with.
	{in: "internal/ledger", may: "erasure"},
	{in: "internal/store", may: "vocabulary domain"},
	{in: "internal/edge", may: "vocabulary"},
	{in: "internal/outbound", may: "vocabulary"},
	{in: "internal/breach", may: "outbound"},
	{in: "internal/carrier", may: "vocabulary domain"},
	{in: "internal/connector/*", may: "vocabulary domain outbound"},

	// What is spoken to the outside.
	{in: "internal/dialect/*", may: "vocabulary domain edge"},
	{in: "internal/web", may: "vocabulary domain edge locale"},

	// Beside cmd: wiring and tools.
	{in: "internal/seed", may: "vocabulary domain store"},
	{in: "internal/compat", may: "vocabulary edge dialect"},
	{in: "internal/server", may: "everything"},
	{in: "internal/arch"},
	{in: "cmd/guildhall", may: "everything"},
	{in: "bench", may: "everything"},
	{in: "scripts"},
}

// vocabularyNever and domainNever are what those layers do without, as import paths with everything below them.
var (
	vocabularyNever = []string{"net", "net/http", "database/sql", "os/exec"}
	domainNever     = []string{"net/http", "database/sql", "encoding/json"}
)

// domainMay lists exceptions to domainNever, with the reason.
var domainMay = []struct{ in, path, why string }{
	{"internal/notify", "encoding/json", "what is sealed of a message is a document"},
	{"internal/oidc", "net/http", "OpenID Connect is an HTTP protocol"},
	{"internal/oidc", "encoding/json", "OpenID Connect is an HTTP protocol"},
	{"internal/guard/captcha", "net/http", "captcha services speak HTTP"},
	{"internal/guard/captcha", "encoding/json", "captcha services speak HTTP"},
	{"internal/sso", "net/http", "single sign-on speaks HTTP with identity providers"},
	{"internal/sso", "encoding/json", "single sign-on speaks HTTP with identity providers"},
	{"internal/scim", "net/http", "SCIM is an HTTP protocol"},
	{"internal/scim", "encoding/json", "SCIM is an HTTP protocol"},
	{"internal/archive", "encoding/json", "an archive is lines of JSON"},
	{"internal/webhook", "encoding/json", "a message of Standard Webhooks is JSON, and its bytes are signed"},
}

// diallers are what connects to somewhere, or is made to, by import path. Only internal/outbound and dialsMay use it.
var diallers = map[string][]string{
	"net":        {"Dial", "DialTimeout", "DialTCP", "DialUDP", "DialIP", "DialUnix", "Dialer"},
	"net/http":   {"Get", "Head", "Post", "PostForm", "DefaultClient", "DefaultTransport", "Client", "Transport"},
	"crypto/tls": {"Dial", "DialWithDialer", "Dialer"},
	"net/smtp":   {"Dial", "SendMail"},
	"net/rpc":    {"Dial", "DialHTTP", "DialHTTPPath"},
}

// dialsMay lists the files that connect by themselves, with the reason.
var dialsMay = []struct{ file, why string }{
	{"internal/sso/provider.go", "holds the guarded client that it is given"},
}

// notEvents are words in the domain that are spelled like events and are none.
var notEvents = []string{}

// databases are database/sql and everything that drives a database. Only databaseMay and packages for tests import them.
var databases = []string{
	"database/sql", "github.com/jackc/pgx", "github.com/lib/pq", "modernc.org/sqlite", "github.com/mattn/go-sqlite3",
	"github.com/ncruces/go-sqlite3", "zombiezen.com/go/sqlite", "github.com/pressly/goose",
}

var databaseMay = []string{
	"internal/store",
	"bench", // times the same statements without the server, to compare with
}

// sqlBuilders are the only files that put SQL together with +, and what they put together. Everywhere else below
// internal/store a statement is a constant, or its line says in a "// sql:" comment why it cannot be.
var sqlBuilders = []struct{ file, why string }{
	{"internal/store/table.go", "names come from the tables declared in code; values are placeholders"},
	{"internal/store/tables.go", "conditions on columns that are written right there"},
	{"internal/store/signin.go", "conditions on columns that are written right there"},
	{"internal/store/bulk.go", "names come from the tables declared in code; values are placeholders"},
	{"internal/store/builder.go", "fields are looked up in the tables declared in code; values are placeholders"},
	{"internal/store/alive.go", "conditions on columns that are written right there"},
	{"internal/store/sessions.go", "the columns of tables declared in code; values are placeholders"},
	{"internal/store/find.go", "the columns of two tables declared in code"},
	{"internal/store/doctor.go", "conditions on tables and columns that are written right there, or read from the schema"},
	{"internal/store/census.go", "names come from the declared graph of what owns what; values are placeholders"},
	{"internal/store/condemned.go", "columns and conditions that are written right there; values are placeholders"},
	{"internal/store/purge.go", "names come from the declared graph of what owns what; values are placeholders"},
	{"internal/store/archives.go", "one of two tables that are named right there"},
}

// vendors are the words that say whose API a thing imitates, each with the only folders whose files may say it. The
// words are welcome in vendorsWelcome, which is what people read and what puts the dialects together.
var (
	vendors = map[string][]string{
		"auth0":   {"internal/dialect/auth0", "internal/connector/auth0"},
		"stytch":  {"internal/dialect/stytch", "internal/connector/stytch"},
		"zitadel": {"internal/dialect/zitadel", "internal/connector/zitadel"},
		"ssojet":  {"internal/dialect/ssojet", "internal/connector/ssojet"},
		"truto":   {"internal/dialect/truto", "internal/connector/truto"},
	}
	vendorsWelcome = []string{
		"README.md", "CHANGELOG.md", "go.mod", "go.sum", "docs", "e2e", "bench", "cmd", "internal/server", "internal/compat",
		"internal/arch",
	}
)

// junkDrawers are names that say nothing of what a package owns.
var junkDrawers = []string{"util", "utils", "common", "helper", "helpers", "shared", "base", "types", "models", "misc"}

// Budgets of code, that is of files that are neither tests nor generated.
const (
	fileLinesMost       = 900
	fileLinesP90        = 450
	functionLinesMost   = 120
	functionLinesP90    = 40
	complexityHigh      = 15
	complexityHighShare = 0.02 // of functions
	parametersMost      = 5
	methodsMost         = 12 // of an interface, embedded ones included
	fanOutMost          = 12 // of our own packages imported by one
	documentedLeast     = 0.90
)

// fanOutFree are the rooms that put everything together; the store keeps, and the native API shows, the objects of every
// package of the domain.
var fanOutFree = []string{"cmd/guildhall", "internal/server", "internal/store", "internal/dialect/native", "bench"}
