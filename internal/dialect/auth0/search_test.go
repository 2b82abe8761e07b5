package auth0

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"guildhall/internal/directory"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// spell writes a condition in short, for comparing.
func spell(c query.Condition) string {
	var s string
	switch {
	case c.Any != nil:
		s = "any" + spellAll(c.Any)
	case c.All != nil:
		s = "all" + spellAll(c.All)
	default:
		op := [...]string{"=", "!=", " in ", "<", "<=", ">", ">=", " prefix ", " contains ", " suffix "}[c.Op]
		v := c.Value
		if at, ok := v.(time.Time); ok {
			v = at.UTC().Format("2006-01-02T15:04:05.000")
		}
		s = fmt.Sprintf("%s%s%v", c.Field, op, v)
	}
	if c.Not {
		return "not " + s
	}
	return s
}

func spellAll(conditions []query.Condition) string {
	each := make([]string, 0, len(conditions))
	for _, c := range conditions {
		each = append(each, spell(c))
	}
	return "(" + strings.Join(each, ", ") + ")"
}

var testSearcher = searcher{
	realm: 1, now: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC),
	members: func(raw string) (query.Condition, error) { return query.Is("member of", raw), nil },
}

func compileSearch(s string) (query.Condition, error) {
	t, err := parseSearch(s)
	if err != nil {
		return query.Condition{}, err
	}
	return testSearcher.compile(t)
}

func TestSearchesCompileToConditions(t *testing.T) {
	for _, c := range []struct{ search, want string }{
		{`email:"Jane@Example.com"`, `email_key=jane@example.com`},
		{`email:jane@example.com`, `email_key=jane@example.com`},
		{`email:jane+tag@example.com`, `email_key=jane+tag@example.com`},
		{`name:jane*`, `name_key prefix jane`},
		{`name:*ane*`, `name_key contains ane`},
		{`name:*ane`, `name_key suffix ane`},
		{`name:*`, `name_key!=`},
		{`name:"*"`, `name_key=*`},
		{`name:a\*`, `name_key=a*`},
		{`name:"a \"quoted\" name"`, `name_key=a "quoted" name`},
		{`name:Jane OR name:Joe`, `any(name_key=jane, name_key=joe)`},
		{`name:Jane name:Joe`, `any(name_key=jane, name_key=joe)`},
		{`name:Jane AND NOT name:Joe`, `all(name_key=jane, not all(name_key=joe))`},
		{`name:Jane -name:Joe`, `all(name_key=jane, not all(name_key=joe))`},
		{`name:a OR name:b AND name:c`, `any(name_key=a, all(name_key=b, name_key=c))`},
		{`(name:a OR name:b) AND name:c`, `all(any(name_key=a, name_key=b), name_key=c)`},
		{`name:(a OR b)`, `any(name_key=a, name_key=b)`},
		{`name:(a OR email:b)`, `any(name_key=a, email_key=b)`},
		{`NOT NOT username:x`, `not all(not all(username_key=x))`},
		{`_exists_:phone_number`, `phone!=`},
		{`NOT _exists_:email`, `not all(email_key!=)`},
		{`email.domain:"Example.com"`, `email_key suffix @example.com`},
		{`email_verified:true`, `email_verified=true`},
		{`blocked:true`, `state in [locked inactive]`},
		{`blocked:false`, `not all(state in [locked inactive])`},
		{`identities.connection:"Imported"`, `connection=Imported`},
		{`identities.connection:"` + defaultConnection + `"`, `connection in [Username-Password-Authentication ]`},
		{`identities.provider:"auth0"`, `all(id>0)`},
		{`identities.provider:"google-oauth2"`, `any()`},
		{`organization_id:"org_x"`, `member of=org_x`},
		{`user_id:"auth0|mine"`, `alias=auth0:auth0|mine`},
		{`user_id:"` + userPrefix + id.For(1, id.User).Hex24(77) + `"`, `id=77`},
		{`created_at:[2020 TO 2021-06]`, `all(created_at>=2020-01-01T00:00:00.000, created_at<2021-07-01T00:00:00.000)`},
		{`created_at:{2020-01-02 TO *}`, `all(created_at>=2020-01-03T00:00:00.000)`},
		{`created_at:[* TO 2020-01-02}`, `all(created_at<2020-01-02T00:00:00.000)`},
		{`created_at:["2020-01-02T03:04:05.678Z" TO now]`, `all(created_at>=2020-01-02T03:04:05.678, created_at<2026-03-04T05:06:07.001)`},
		{`updated_at:>=2020`, `all(updated_at>=2020-01-01T00:00:00.000)`},
		{`updated_at:<2020`, `all(updated_at<2020-01-01T00:00:00.000)`},
		{`created_at:2020-02`, `all(created_at>=2020-02-01T00:00:00.000, created_at<2020-03-01T00:00:00.000)`},
		{`email:[a TO m}`, `all(email_key!=, email_key>=a, email_key<m)`},
		{`*`, `all(id>0)`},
		{`jane`, `any(email_key=jane, name_key=jane, given_name_key=jane, family_name_key=jane, username_key=jane)`},
	} {
		got, err := compileSearch(c.search)
		if err != nil {
			t.Errorf("%s: %v", c.search, err)
		} else if spell(got) != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.search, spell(got), c.want)
		}
	}
}

// badSearches are searches that are refused.
var badSearches = []string{
	``, ` `, `(`, `)`, `email:`, `email:(`, `email:"x`, `a)`, `(a`, `a AND`, `AND`, `NOT`, `-`, `name:[a TO`, `name:[a b]`, `name:[a TO b`,
	`name:*a*`, `name:a*b*c`, `name:a?c`, `name:**`, `user_metadata.color:red`, `logins_count:[1 TO 2]`, `unknown:x`, `_exists_:unknown`,
	`email_verified:maybe`, `blocked:[true TO false]`, `created_at:yesterday`, `created_at:[x TO y]`, `user_id:auth0*`, `email.domain:*x`,
	`organization_id:*`, `identities.provider:a*`, `identities.connection:a*`, `a\`, `name:"\`, "a\x00b", "\xff",
	strings.Repeat("(", 100) + "a" + strings.Repeat(")", 100), strings.Repeat("NOT ", 100) + "a", strings.Repeat("a ", 100),
	strings.Repeat("a", 3000),
}

func TestBadSearchesAreRefused(t *testing.T) {
	for _, s := range badSearches {
		if c, err := compileSearch(s); err == nil || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: %v, compiled to %s", s, err, spell(c))
		}
	}
}

func FuzzSearch(f *testing.F) {
	for _, s := range append(badSearches, `email:"jane@example.com"`, `name:(a OR b) AND NOT created_at:[2020 TO *}`, `_exists_:email -blocked:true`, `a \* "b \" c"`) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := compileSearch(s)
		if err != nil && fault.KindOf(err) != fault.Invalid {
			t.Fatalf("%q: %v", s, err)
		}
		if err == nil && strings.ContainsRune(spell(c), 0) {
			t.Fatalf("%q compiled to a text that cannot be stored: %s", s, spell(c))
		}
	})
}

func TestSearchFindsUsers(t *testing.T) {
	b := newBench(t)
	token := b.token(t)
	for _, body := range []string{
		`{"connection":"c1","email":"Ann@one.example","name":"Ann Smith","given_name":"Ann","family_name":"Smith","username":"ann","email_verified":true}`,
		`{"connection":"c2","email":"bob@two.example","name":"Bob Smith","blocked":true}`,
		`{"connection":"c2","email":"eve@two.example","phone_number":"+12025550123","name":"Eve Jones","user_id":"eve"}`,
	} {
		b.made(t, token, "POST", "/api/v2/users", body)
	}
	ended := b.made(t, token, "POST", "/api/v2/users", `{"connection":"c2","email":"old@two.example","name":"Old Smith"}`)["user_id"].(string)
	i, _ := parseUser(b.Realm.ID, ended)
	if _, err := b.Directory.UpdateUser(t.Context(), b.System, i, func(u *directory.User) error { u.State = directory.UserDeleted; return nil }); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		search string
		want   []string
	}{
		{`email:ann@ONE.example`, []string{"Ann"}},
		{`name:*smith*`, []string{"Ann", "bob"}},
		{`family_name:smith`, []string{"Ann"}},
		{`given_name:AN*`, []string{"Ann"}},
		{`email.domain:two.example AND NOT blocked:true`, []string{"eve"}},
		{`blocked:false`, []string{"Ann", "eve"}},
		{`NOT blocked:true`, []string{"Ann", "eve"}},
		{`blocked:true`, []string{"bob"}},
		{`_exists_:phone_number`, []string{"eve"}},
		{`identities.connection:c2`, []string{"bob", "eve"}},
		{`user_id:"auth0|eve"`, []string{"eve"}},
		{`created_at:[2020 TO *] AND email:[a TO b]`, []string{"Ann"}},
		{`created_at:<2020`, nil},
		{`email_verified:true`, []string{"Ann"}},
		{`organization_id:org_AAAAAAAAAAAAAAAA`, nil},
		{`organization_id:nonsense`, nil},
		{`ann`, []string{"Ann"}},
	} {
		w := b.do(t, token, "GET", "/api/v2/users?sort=created_at:1&q="+url.QueryEscape(c.search), "")
		var users []userJSON
		if err := json.Unmarshal(w.Body.Bytes(), &users); err != nil || w.Code != 200 {
			t.Errorf("%s: %d %s", c.search, w.Code, w.Body)
			continue
		}
		var got []string
		for _, u := range users {
			local, _, _ := strings.Cut(u.Email, "@")
			got = append(got, local)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: found %v, want %v", c.search, got, c.want)
		}
	}
	for _, s := range badSearches[1:] {
		if w := b.do(t, token, "GET", "/api/v2/users?q="+url.QueryEscape(s), ""); w.Code != 400 {
			t.Errorf("%q: %d %s", s, w.Code, w.Body)
		}
	}
	for name := range userList.sort {
		for _, way := range []string{"1", "-1"} {
			if w := b.do(t, token, "GET", "/api/v2/users?sort="+name+":"+way, ""); w.Code != 200 {
				t.Errorf("sort %s:%s: %d %s", name, way, w.Code, w.Body)
			}
		}
	}
}
