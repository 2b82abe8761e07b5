package master

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// A Command wraps by a program that asks a key management service. The program is
// run with one of these arguments, reads base64 lines and prints one line:
//
//	current          prints the name of the key that it wraps with
//	wrap             reads the keyset and what it is bound to; prints the name of the key, a blank and the wrapped keyset
//	unwrap NAME      reads the wrapped keyset and what it is bound to; prints the keyset
//
// What is bound is data that the service has to authenticate, too: the encryption
// context or additional authenticated data of its API.
type Command struct{ Program string }

// patience is how long the program may take.
const patience = 20 * time.Second

// longest is how much it may print.
const longest = 64 << 10

// Current asks for the name of the key.
func (c *Command) Current(ctx context.Context) (string, error) {
	line, err := c.run(ctx, "current")
	if err == nil && !named(line) {
		err = c.odd("a name of a key")
	}
	return line, err
}

// Wrap has a keyset encrypted.
func (c *Command) Wrap(ctx context.Context, plain, bound []byte) ([]byte, string, error) {
	line, err := c.run(ctx, "wrap", plain, bound)
	if err != nil {
		return nil, "", err
	}
	name, text, _ := strings.Cut(line, " ")
	wrapped, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(wrapped) == 0 || !named(name) {
		return nil, "", c.odd("a name and base64")
	}
	return wrapped, name, nil
}

// Unwrap has a keyset decrypted.
func (c *Command) Unwrap(ctx context.Context, key string, wrapped, bound []byte) ([]byte, error) {
	line, err := c.run(ctx, "unwrap "+key, wrapped, bound)
	if err != nil {
		return nil, err
	}
	plain, err := base64.StdEncoding.DecodeString(line)
	if err != nil {
		return nil, c.odd("base64")
	}
	return plain, nil
}

func named(s string) bool {
	return s != "" && len(s) <= 200 && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

func (c *Command) odd(want string) error {
	return fmt.Errorf("%s printed something else than %s", c.Program, want)
}

func (c *Command) run(ctx context.Context, arguments string, input ...[]byte) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var in, complaint bytes.Buffer
	for _, part := range input {
		in.WriteString(base64.StdEncoding.EncodeToString(part) + "\n")
	}
	cmd := exec.CommandContext(ctx, c.Program, strings.Fields(arguments)...)
	cmd.Stdin, cmd.Stderr = &in, &complaint
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %.200s", c.Program, strings.Fields(arguments)[0], err, strings.TrimSpace(complaint.String()))
	}
	if len(out) > longest {
		return "", c.odd("a line")
	}
	return strings.TrimSpace(string(out)), nil
}
