package liquid

import (
	"errors"
	"strings"
	"testing"
	"time"

	oracle "github.com/osteele/liquid"
)

var sample = Values{
	"name": "Ada <Lovelace>", "void": "", "n": int64(7), "f": 2.5, "yes": true, "no": false,
	"list": []any{"b", "a", "c"}, "none": []any{}, "user": Values{"name": "Grace", "tags": []any{"x", "y"}},
	"items": []any{Values{"id": int64(1), "name": "one"}, Values{"id": int64(2), "name": "two"}},
}

// cases are templates that every implementation of Liquid renders alike.
var cases = []string{
	"plain", "{{ name }}", "{{name}}!", "{{ missing }}", "{{ user.name }} {{ user.missing.deeper }}", "{{ list[0] }}{{ list[-1] }}{{ list.first }}{{ list.last }}{{ list.size }}",
	"{% if yes %}a{% endif %}", "{% if no %}a{% else %}b{% endif %}", "{% if no %}a{% elsif n == 7 %}c{% else %}b{% endif %}",
	"{% unless no %}a{% endunless %}", "{% unless yes %}a{% else %}b{% endunless %}",
	"{% if n > 3 and n < 10 %}in{% endif %}", "{% if n > 30 or name contains 'Love' %}in{% endif %}", "{% if list contains 'a' %}has{% endif %}",
	"{% if void == '' %}e{% endif %}{% if missing == nil %}m{% endif %}{% if void %}t{% endif %}",
	"{% case n %}{% when 1 %}one{% when 7 %}seven{% else %}other{% endcase %}", "{% case n %}{% when 1, 7 %}hit{% endcase %}", "{% case name %}{% when 'x' %}x{% else %}none{% endcase %}",
	"{% for i in list %}{{ i }},{% endfor %}", "{% for i in list reversed %}{{ i }}{% endfor %}", "{% for i in list limit: 2 %}{{ i }}{% endfor %}", "{% for i in list offset: 1 %}{{ i }}{% endfor %}",
	"{% for i in none %}x{% else %}nothing{% endfor %}", "{% for i in items %}{{ forloop.index }}/{{ forloop.length }} {{ i.name }}{% if forloop.last %}.{% else %}, {% endif %}{% endfor %}",
	"{% for i in list %}{% if i == 'a' %}{% break %}{% endif %}{{ i }}{% endfor %}", "{% for i in list %}{% if i == 'a' %}{% continue %}{% endif %}{{ i }}{% endfor %}",
	"{% for i in list %}{% for j in user.tags %}{{ i }}{{ j }} {% endfor %}{% endfor %}",
	"{% assign x = name | upcase %}{{ x }}", "{% assign x = list | join: '-' %}{{ x }}", "{% comment %} hidden {{ name }} {% endcomment %}shown",
	"{{ name | upcase }}{{ name | downcase }}", "{{ ' a ' | strip }}|{{ ' a ' | lstrip }}|{{ ' a ' | rstrip }}|", "{{ 'hello world' | capitalize }}",
	"{{ name | escape }}", "{{ 'a b&c' | url_encode }}", "{{ 'abc' | append: 'd' | prepend: 'z' }}", "{{ 'aXbX' | replace: 'X', '-' }}{{ 'aXbX' | replace_first: 'X', '-' }}{{ 'aXb' | remove: 'X' }}",
	"{{ 'a,b,c' | split: ',' | join: ' ' }}", "{{ list | sort | join }}", "{{ list | first }}{{ list | last }}{{ list | size }}{{ 'abc' | size }}",
	"{{ missing | default: 'd' }}{{ void | default: 'd' }}{{ no | default: 'd' }}{{ n | default: 'd' }}", "{{ n | plus: 3 }}{{ n | minus: 3 }}{{ n | times: 3 }}",
	"{{ 'one two three four' | truncatewords: 2 }}", "{{ 'a long piece of text' | truncate: 10 }}", "{{ 'a<b>c</b>' | strip_html }}",
	"a {{- name -}} b", "a\n{%- if yes -%}\n b \n{%- endif -%}\n c", "{{ 'it' | append: \"'s\" }}", "{{ user['name'] }}", "{{ yes }}{{ f }}{{ n }}", "{ { }} %}",
}

func TestEveryImplementationRendersAlike(t *testing.T) {
	engine := oracle.NewEngine()
	for _, src := range cases {
		want, err := engine.ParseAndRenderString(src, sample)
		if err != nil {
			t.Fatalf("the oracle does not take %q: %v", src, err)
		}
		tpl, perr := Parse(src)
		if perr != nil {
			t.Errorf("%q: %v", src, perr)
			continue
		}
		got, rerr := tpl.Text(sample)
		if rerr != nil || got != want {
			t.Errorf("%q renders %q (%v), elsewhere %q", src, got, rerr, want)
		}
	}
}

func render(t *testing.T, src string, v Values, html bool) string {
	t.Helper()
	tpl, err := Parse(src)
	if err != nil {
		t.Fatalf("%q: %v", src, err)
	}
	out, err := tpl.render(v, html)
	if err != nil {
		t.Fatalf("%q: %v", src, err)
	}
	return out
}

func TestT_M01_ValuesAreEscapedInPages(t *testing.T) {
	evil := Values{"v": `<img src=x onerror="alert('1')">&`, "list": []any{"<b>"}}
	for src, want := range map[string]string{
		"{{ v }}":                                "&lt;img src=x onerror=&#34;alert(&#39;1&#39;)&#34;&gt;&amp;",
		"{{ v | escape }}":                       "&lt;img src=x onerror=&#34;alert(&#39;1&#39;)&#34;&gt;&amp;", // once
		"{{ v | escape | append: '<' }}":         "&amp;lt;img src=x onerror=&amp;#34;alert(&amp;#39;1&amp;#39;)&amp;#34;&amp;gt;&amp;amp;&lt;",
		"{{ list }}":                             "&lt;b&gt;",
		"{% for i in list %}{{ i }}{% endfor %}": "&lt;b&gt;",
		"{% assign x = v | slice %}":             "",
		"{{ 'a\n<' | newline_to_br }}":           "a<br />\n&lt;",
	} {
		tpl, err := Parse(src)
		if want == "" {
			if err == nil {
				t.Errorf("%q was taken", src)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", src, err)
			continue
		}
		if got, err := tpl.HTML(evil); err != nil || got != want {
			t.Errorf("%q renders %q, %v, want %q", src, got, err, want)
		}
	}
}

// TestT_M02_TemplatesExecuteNothing tries what template languages are broken with.
func TestT_M02_TemplatesExecuteNothing(t *testing.T) {
	for _, src := range []string{
		"{% include 'x' %}", "{% render 'x' %}", "{% layout 'x' %}", "{% raw %}{{ a }}{% endraw %}", "{% capture x %}{% endcapture %}",
		"{{ a | raw }}", "{{ a | safe }}", "{% for i in (1..1000000000) %}{% endfor %}", "{% if a %}", "{% endif %}", "{% else %}", "{{ a", "{% if a",
		"{{ a | replace }}", "{{ 'a }}", "{% for i %}{% endfor %}", "{% for i in a b %}{% endfor %}", "{{ a b }}", "{% assign = 1 %}", "{{ a.(b) }}", "{{ $a }}", "{% if a == %}{% endif %}",
		strings.Repeat("{% if a %}", 100) + strings.Repeat("{% endif %}", 100), strings.Repeat("a", MaxSource+1), "a\x00b", "\xff",
		"{% when 1 %}", "{% break 1 %}", "{% case %}{% endcase %}", "{% tablerow a %}", "{% increment a %}",
	} {
		var wrong *SyntaxError
		if _, err := Parse(src); !errors.As(err, &wrong) || wrong.Line < 1 {
			t.Errorf("%.60q gives %v", src, err)
		}
	}
	// What looks like code of another language is text, or nothing.
	for src, want := range map[string]string{
		"{{.}}": "", "${7*7}": "${7*7}", "<%= 7*7 %>": "<%= 7*7 %>", "{{ user.__class__ }}": "", "{{ user.constructor.constructor }}": "", "{{ 'a'.b.c }}": "",
	} {
		tpl, err := Parse(src)
		if err != nil {
			continue
		}
		if got, err := tpl.Text(sample); err != nil || got != want {
			t.Errorf("%q renders %q, %v", src, got, err)
		}
	}
}

func TestT_M02_RenderingIsBounded(t *testing.T) {
	many := make([]any, 1000)
	for i := range many {
		many[i] = "x"
	}
	v := Values{"a": many, "s": strings.Repeat("y", 1000)}
	for _, src := range []string{
		"{% for i in a %}{% for j in a %}{% for k in a %}{% endfor %}{% endfor %}{% endfor %}",
		"{% for i in a %}{% for j in a %}{{ s }}{% endfor %}{% endfor %}",
		"{% for i in a %}{% assign s = s | append: s %}{% endfor %}",
		"{% for i in a %}{% assign s = s | replace: 'y', s %}{% endfor %}",
		"{% assign a = s | split: '' %}{% for i in a %}{% assign s = a | join: s %}{% endfor %}{{ s }}{{ s }}",
	} {
		tpl, err := Parse(src)
		if err != nil {
			t.Fatalf("%q: %v", src, err)
		}
		start := time.Now()
		var limit *LimitError
		if _, err := tpl.Text(v); !errors.As(err, &limit) {
			t.Errorf("%q ends with %v", src, err)
		}
		if took := time.Since(start); took > 30*time.Second {
			t.Errorf("%q took %s", src, took)
		}
	}
}

func TestAssignmentsDoNotReachTheCaller(t *testing.T) {
	v := Values{"a": "1"}
	if got := render(t, "{% assign a = '2' %}{% assign b = '3' %}{{ a }}{{ b }}", v, false); got != "23" || v["a"] != "1" || len(v) != 1 {
		t.Errorf("%q, and the values became %v", got, v)
	}
}

func TestDatesAreWrittenInUTC(t *testing.T) {
	v := Values{"t": time.Date(2027, 3, 4, 23, 6, 7, 0, time.FixedZone("", 3600))}
	if got := render(t, "{{ t | date: '%Y-%m-%d %H:%M' }} {{ '2027-03-04T05:06:07Z' | date: '%-d %B' }} {{ 'x' | date: '%Y' }}", v, false); got != "2027-03-04 22:06 4 March x" {
		t.Error(got)
	}
}

func FuzzTemplates(f *testing.F) {
	for _, c := range cases {
		f.Add(c)
	}
	f.Fuzz(func(t *testing.T, src string) {
		tpl, err := Parse(src)
		if err != nil {
			return
		}
		if out, err := tpl.HTML(sample); err == nil && len(out) > MaxOutput {
			t.Errorf("%d bytes of output", len(out))
		}
		_, _ = tpl.Text(sample)
	})
}
