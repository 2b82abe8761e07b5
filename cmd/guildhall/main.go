// Command guildhall is a B2B identity server: organizations, the people in them,
// how they sign in, and what happens when an organization leaves.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"guildhall/internal/server"
	"guildhall/internal/store"
	"guildhall/internal/vault/master"
)

// version is set by the build.
var version = "development"

const description = `A self-hosted B2B identity server that speaks the APIs of Auth0, Stytch, ZITADEL, SSOJet and Truto over one directory.

To begin:

  guildhall serve --dev     a demo realm, HTTPS, and printed credentials, on this machine only
  guildhall serve           for production: keep what is in --data, put a TLS proxy or --listen-tls in front

Every flag can also be set in the environment: --public-url is GUILDHALL_PUBLIC_URL.`

type commands struct {
	Serve        serveCommand        `cmd:"" help:"Answer requests."`
	Migrate      migrateCommand      `cmd:"" help:"Bring the database to the schema of this program."`
	Seed         seedCommand         `cmd:"" help:"Fill a realm with organizations and members, for demos and benchmarks."`
	Key          keyCommand          `cmd:"" help:"Make credentials for programs, and rotate the server's own keys."`
	Unlock       unlockCommand       `cmd:"" help:"Lift the lock of an account that too many have guessed at."`
	Realm        realmCommand        `cmd:"" help:"List realms, name them, say where they are reached, how people sign in and how deletions are by default."`
	Organization organizationCommand `cmd:"" help:"Delete organizations, undo it, watch it, hold it back; say how people sign in to them."`
	Invitation   invitationCommand   `cmd:"" help:"Invite people into organizations, and take it back."`
	Application  applicationCommand  `cmd:"" help:"Register applications that sign people in, and change them."`
	Connection   connectionCommand   `cmd:"" help:"Let people sign in with Google and other identity providers."`
	Session      sessionCommand      `cmd:"" help:"List who is signed in, and sign them out."`
	Template     templateCommand     `cmd:"" help:"Write what mail and text messages say, look at it and try it out."`
	User         userCommand         `cmd:"" help:"Look after users who lost a phone or a password; delete users, undo it, hold them back."`
	Member       memberCommand       `cmd:"" help:"Take people out of organizations, and undo it."`
	Webhook      webhookCommand      `cmd:"" help:"Have events sent to others, see what became of them, send them again."`
	Export       exportCommand       `cmd:"" help:"Write an organization into an archive."`
	Import       importCommand       `cmd:"" help:"Make an organization of an archive."`
	Verify       verifyCommand       `cmd:"" help:"Check the receipt of a deletion and say what it proves. Needs no server."`
	Ledger       ledgerCommand       `cmd:"" help:"Export the ledger of receipts, check it, and apply it after a restore from backup."`
	Doctor       doctorCommand       `cmd:"" help:"Search every table for what must not be there: rows whose owner is gone, traces of the erased, a broken ledger."`
	Version      versionCommand      `cmd:"" help:"Print the version."`
}

// A program is one run of the command line: what it reads and writes, for tests
// to take the place of.
type program struct {
	Context  context.Context
	In       io.Reader
	Out      io.Writer
	Err      io.Writer
	Terminal bool          // In is where somebody types
	Patience time.Duration // for a server to begin with a purge, before a command does it
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(&program{
		Context: ctx, In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Terminal: isTerminal(os.Stdin), Patience: patience,
	}, os.Args[1:]))
}

// patience is longer than a server takes to find work, or to take it over from
// another that ended.
const patience = 8 * time.Second

// isTerminal reports whether somebody may be there. The null device is a
// character device as a terminal is, and nobody ever types into it.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}

// run parses and carries out a command line, and gives the exit status: 0, 1 for
// a failure, 2 for a command line that cannot be carried out.
func run(p *program, args []string) int {
	var c commands
	exit := -1
	parser, err := kong.New(&c,
		kong.Name("guildhall"), kong.Description(description), kong.UsageOnError(), kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: false}),
		kong.DefaultEnvars("GUILDHALL"), kong.Writers(p.Out, p.Err), kong.Exit(func(code int) { exit = code }),
	)
	if err != nil {
		fmt.Fprintln(p.Err, "guildhall:", err)
		return 2
	}
	command, err := parser.Parse(args)
	switch {
	case exit >= 0:
		return exit
	case err != nil:
		fmt.Fprintf(p.Err, "guildhall: %v\nSee \"guildhall --help\".\n", err)
		return 2
	}
	if err := command.Run(p); err != nil {
		fmt.Fprintln(p.Err, "guildhall:", err)
		return 1
	}
	return 0
}

type versionCommand struct{}

func (versionCommand) Run(p *program) error {
	_, err := fmt.Fprintln(p.Out, "guildhall", version)
	return err
}

// databaseFlags say which database is meant.
type databaseFlags struct {
	Data     string `help:"Folder of the embedded database." default:"./data" type:"path" placeholder:"DIR"`
	Database string `help:"PostgreSQL instead of the embedded database: postgres://user:password@host/name." placeholder:"URL"`
	masterFlags
}

// masterFlags say where the master key is that opens the secrets in a database.
type masterFlags struct {
	MasterKeyFile    string `help:"File with the master key that opens the secrets in the database; master.key in --data unless given. GUILDHALL_MASTER_KEY can hold the key itself." type:"path" placeholder:"FILE"`
	MasterKeyCommand string `help:"Program that asks a key management service instead; see docs/keys.md." placeholder:"PROGRAM"`
}

// masterKeyVariable holds the key itself: on a command line others would see it.
const masterKeyVariable = "GUILDHALL_MASTER_KEY"

func (f masterFlags) sources() master.Sources {
	return master.Sources{File: f.MasterKeyFile, Command: f.MasterKeyCommand, Keys: os.Getenv(masterKeyVariable)}
}

// services gives the services on a database that a server may have open as well.
func (f databaseFlags) services(db *store.DB) (server.Services, error) {
	from := f.sources()
	if beside := server.MasterFile(f.Data); from == (master.Sources{}) {
		if _, err := os.Stat(beside); err == nil || f.Database == "" {
			from.File = beside
		}
	}
	key, err := master.Open(from)
	return server.NewServices(db, key), err
}

// logFlags say what is written about the work.
type logFlags struct {
	LogLevel  string `help:"Least important lines to write: debug, info, warn or error." enum:"debug,info,warn,error" default:"info"`
	LogFormat string `help:"Form of lines: text or json." enum:"text,json" default:"text"`
}

func (f logFlags) logger(w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(f.LogLevel)) // kong has checked the word
	opts := &slog.HandlerOptions{Level: level}
	if f.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}
