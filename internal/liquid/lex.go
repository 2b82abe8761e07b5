package liquid

import (
	"strings"
)

// A piece is a part of the source: text, an output or a tag.
type piece struct {
	kind byte // 't', 'o' or '%'
	text string
	line int
}

// cut divides the source at its braces, heeding "-" for blanks that are not wanted.
func cut(src string) ([]piece, error) {
	var all []piece
	line, trim := 1, false
	text := func(s string) {
		if trim {
			s = strings.TrimLeft(s, " \t\r\n")
		}
		if s != "" {
			all = append(all, piece{'t', s, line})
		}
	}
	for src != "" {
		at := opening(src)
		if at < 0 {
			text(src)
			return all, nil
		}
		kind, end := byte('o'), "}}"
		if src[at+1] == '%' {
			kind, end = '%', "%}"
		}
		before, inside := src[:at], src[at+2:]
		stripped := strings.HasPrefix(inside, "-")
		if stripped {
			before, inside = strings.TrimRight(before, " \t\r\n"), inside[1:]
		}
		text(before)
		line += strings.Count(src[:at], "\n")
		stop := closing(inside, end)
		if stop < 0 {
			return nil, &SyntaxError{line, "it is opened and never closed"}
		}
		body := inside[:stop]
		src = inside[stop+2:]
		trim = strings.HasSuffix(body, "-")
		all = append(all, piece{kind, strings.TrimSpace(strings.TrimSuffix(body, "-")), line})
		line += strings.Count(inside[:stop], "\n")
	}
	return all, nil
}

func opening(s string) int {
	for at := 0; at+1 < len(s); at++ {
		if s[at] == '{' && (s[at+1] == '{' || s[at+1] == '%') {
			return at
		}
	}
	return -1
}

// closing finds the end that is not inside quotes.
func closing(s, end string) int {
	quote := byte(0)
	for i := 0; i < len(s); i++ {
		switch {
		case quote != 0:
			if s[i] == quote {
				quote = 0
			}
		case s[i] == '\'' || s[i] == '"':
			quote = s[i]
		case strings.HasPrefix(s[i:], end):
			return i
		}
	}
	return -1
}

// A token of an expression: a name, a number, a text in quotes, or a sign.
type token struct {
	kind byte // 'n', '#', '"' or 's'
	text string
}

// words divides an expression.
func words(s string, line int) ([]token, error) {
	var all []token
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case strings.IndexByte(" \t\r\n", c) >= 0:
			i++
		case c == '\'' || c == '"':
			end := strings.IndexByte(s[i+1:], c)
			if end < 0 {
				return nil, &SyntaxError{line, "a text has no closing quote"}
			}
			all = append(all, token{'"', s[i+1 : i+1+end]})
			i += end + 2
		case digit(c) || c == '-' && i+1 < len(s) && digit(s[i+1]):
			j := i + 1
			for j < len(s) && (digit(s[j]) || s[j] == '.' && j+1 < len(s) && digit(s[j+1])) {
				j++
			}
			all = append(all, token{'#', s[i:j]})
			i = j
		case letter(c):
			j := i + 1
			for j < len(s) && (letter(s[j]) || digit(s[j]) || s[j] == '-') {
				j++
			}
			all = append(all, token{'n', s[i:j]})
			i = j
		case i+1 < len(s) && (s[i:i+2] == "==" || s[i:i+2] == "!=" || s[i:i+2] == "<=" || s[i:i+2] == ">=" || s[i:i+2] == ".."):
			all = append(all, token{'s', s[i : i+2]})
			i += 2
		case strings.IndexByte("|:,.[]<>=", c) >= 0:
			all = append(all, token{'s', s[i : i+1]})
			i++
		default:
			return nil, &SyntaxError{line, "a sign has no meaning here: " + s[i:i+1]}
		}
	}
	return all, nil
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func letter(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
