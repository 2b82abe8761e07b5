package auth0

import (
	"crypto/md5"
	"encoding/hex"
	"strings"

	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// defaultConnection is the database connection that every tenant has. It is where
// people are who were created through another wire.
const defaultConnection = "Username-Password-Authentication"

// userJSON is a user on the wire; what is unset is left out.
type userJSON struct {
	UserID        string         `json:"user_id"`
	Email         string         `json:"email,omitempty"`
	EmailVerified *bool          `json:"email_verified,omitempty"`
	Username      string         `json:"username,omitempty"`
	Phone         string         `json:"phone_number,omitempty"`
	PhoneVerified *bool          `json:"phone_verified,omitempty"`
	CreatedAt     string         `json:"created_at"`
	UpdatedAt     string         `json:"updated_at"`
	Identities    []identityJSON `json:"identities"`
	AppMetadata   map[string]any `json:"app_metadata,omitempty"`
	UserMetadata  map[string]any `json:"user_metadata,omitempty"`
	Picture       string         `json:"picture,omitempty"`
	Name          string         `json:"name,omitempty"`
	Nickname      string         `json:"nickname,omitempty"`
	GivenName     string         `json:"given_name,omitempty"`
	FamilyName    string         `json:"family_name,omitempty"`
	LastLogin     string         `json:"last_login,omitempty"`
	Logins        int64          `json:"logins_count,omitempty"`
	Blocked       bool           `json:"blocked,omitempty"`
}

type identityJSON struct {
	Connection string `json:"connection"`
	UserID     string `json:"user_id"`
	Provider   string `json:"provider"`
	IsSocial   bool   `json:"isSocial"`
}

func userOut(realm id.ID, u directory.User) userJSON {
	full := userID(realm, u)
	provider, local, _ := strings.Cut(full, "|")
	out := userJSON{
		UserID: full, Email: u.Email, Username: u.Username, Phone: u.Phone,
		CreatedAt: stamp(u.CreatedAt), UpdatedAt: stamp(u.UpdatedAt),
		Identities:  []identityJSON{{Connection: connectionOf(u), UserID: local, Provider: provider}},
		AppMetadata: u.Private, UserMetadata: u.Public,
		Picture: pictureOf(u), Name: nameOf(u), Nickname: nicknameOf(u),
		GivenName: u.GivenName, FamilyName: u.FamilyName,
		LastLogin: stampSet(u.LastSignInAt), Logins: u.SignIns, Blocked: isBlocked(u),
	}
	if u.Email != "" {
		out.EmailVerified = &u.EmailVerified
	}
	if u.Phone != "" {
		out.PhoneVerified = &u.PhoneVerified
	}
	return out
}

func connectionOf(u directory.User) string {
	if u.Connection != "" {
		return u.Connection
	}
	return defaultConnection
}

// inConnection asks for the users of a connection.
func inConnection(name string) query.Condition {
	if name == defaultConnection {
		return query.OneOf("connection", []string{name, ""})
	}
	return query.Is("connection", name)
}

// The vendor fills name, nickname and picture where they are unset. Here they are
// made when shown, so that they never become what other wires tell of a person.

func nameOf(u directory.User) string {
	for _, s := range []string{u.Name, u.Email, u.Username, u.Phone} {
		if s != "" {
			return s
		}
	}
	return ""
}

func nicknameOf(u directory.User) string {
	local, _, _ := strings.Cut(u.Email, "@")
	for _, s := range []string{u.Nickname, local, u.Username} {
		if s != "" {
			return s
		}
	}
	return ""
}

// pictureOf names a Gravatar where there is no picture. MD5 is how that service
// spells addresses, and protects nothing.
func pictureOf(u directory.User) string {
	if u.Picture != "" || u.Email == "" {
		return u.Picture
	}
	sum := md5.Sum([]byte(strings.ToLower(strings.TrimSpace(u.Email))))
	return "https://s.gravatar.com/avatar/" + hex.EncodeToString(sum[:]) + "?s=480&r=pg&d=identicon"
}
