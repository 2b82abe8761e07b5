package ssojet

import (
	"errors"
	"net/http"

	"guildhall/internal/access"
	"guildhall/internal/credential"
	"guildhall/internal/edge"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// A config is what a sign-in page needs before anybody has signed in. What is
// not set up is empty; there are no ways to sign in yet.
type config struct {
	ID              string       `json:"id"`
	Name            string       `json:"name"`
	ClientID        string       `json:"client_id"`
	DefaultRedirect string       `json:"default_redirect_url"`
	Branding        branding     `json:"branding"`
	Connection      []struct{}   `json:"connection"`
	AuthConfig      authConfig   `json:"auth_config"`
	Localization    localization `json:"localization"`
}

type branding struct {
	Schema          string `json:"branding_schema"` // a JSON document, as text
	AdminSchema     string `json:"admin_branding_schema"`
	Brand           string `json:"brand"`
	Signature       string `json:"signature"`
	ButtonColor     string `json:"btn_color"`
	TextColor       string `json:"text_color"`
	BackgroundImage string `json:"background_image"`
	LoginBoxColor   string `json:"login_box_color"`
	Background      string `json:"background"`
	Logo            string `json:"brand_logo"`
	Favicon         string `json:"favicon"`
	Font            font   `json:"font"`
	Lang            string `json:"lang"`
	WhiteLabel      bool   `json:"white_label"`
	PageTitle       string `json:"page_title"`
	BackgroundStyle string `json:"background_style"`
	InputStyle      string `json:"input_style"`
	SocialButton    string `json:"social_button"`
	LogoStyle       string `json:"logo_style"`
	LoginBoxStyle   string `json:"login_box_style"`
	SubmitStyle     string `json:"page_submit_button_style"`
}

type font struct {
	URL    string `json:"url"`
	Family string `json:"family"`
}

type authConfig struct {
	WebAuthn bool `json:"webauthn"`
	Passkey  bool `json:"passkey_auth"`
	Social   bool `json:"social"`
}

type localization struct {
	Language  string    `json:"language"`
	ISOCode   string    `json:"iso_code"`
	Direction string    `json:"direction"`
	Login     loginText `json:"login"`
	MagicOTP  titleText `json:"magic_otp"`
}

type loginText struct {
	Heading    string     `json:"heading"`
	SubHeading string     `json:"sub_heading"`
	Footer     string     `json:"footer"`
	Or         string     `json:"or"`
	Button     buttonText `json:"button"`
	Input      inputText  `json:"input"`
	PhoneInput inputText  `json:"phone_input"`
}

type buttonText struct {
	Text string `json:"text"`
}

type inputText struct {
	Placeholder string `json:"placeholder"`
	Label       string `json:"label"`
}

type titleText struct {
	Title string `json:"title_text"`
}

var english = localization{
	Language: "English", ISOCode: "en", Direction: "ltr",
	Login: loginText{
		Heading: "Sign in", SubHeading: "Enter your details to go on", Or: "or", Button: buttonText{Text: "Continue"},
		Input:      inputText{Placeholder: "name@example.com", Label: "E-mail address"},
		PhoneInput: inputText{Placeholder: "+12025550123", Label: "Phone number"},
	},
	MagicOTP: titleText{Title: "Enter the code we sent you"},
}

// errConfig has the status the vendor documents; an unknown client and one of
// another wire look the same.
var errConfig = fault.New(fault.Invalid, "unknown_client", "", "there is no such client or domain")

// getConfig answers without a credential, so it shows what every visitor of a
// sign-in page may see.
func (a *API) getConfig(c edge.Call) (edge.Reply, error) {
	realm, app, err := a.configured(c)
	if err != nil {
		return edge.Reply{}, err
	}
	redirect, _ := app.Settings["default_redirect_url"].(string)
	reply := edge.OK(config{
		ID: id.For(realm, id.Application).Hex24(app.ID), Name: app.Name, ClientID: app.ClientID,
		DefaultRedirect: redirect, Connection: []struct{}{}, Localization: english,
		Branding: branding{Schema: "{}", AdminSchema: "{}", Brand: app.Name, Lang: english.ISOCode, PageTitle: app.Name},
	})
	reply.Header = publicHeader()
	return reply, nil
}

// configured finds the application by its client id, or the oldest one of the
// realm that is served at a domain.
func (a *API) configured(c edge.Call) (id.ID, credential.Application, error) {
	if client := clientID(c.Request); client != "" {
		p, err := a.Credentials.LiveClient(c.Context(), client, Scheme)
		if err != nil {
			return id.None, credential.Application{}, notConfigured(err)
		}
		return a.application(c, p.Realm, query.Is("id", p.Application))
	}
	domain := c.Query().Get("domain")
	if domain == "" {
		return id.None, credential.Application{}, errNoClient
	}
	realm, found := a.RealmAt(c.Context(), domain)
	if !found {
		return id.None, credential.Application{}, errConfig
	}
	return a.application(c, realm, query.Is("scheme", Scheme), query.Is("organization_id", id.None), query.Is("disabled", false))
}

// application reads an application for whoever asks; the realm came from the request.
func (a *API) application(c edge.Call, realm id.ID, where ...query.Condition) (id.ID, credential.Application, error) {
	app, err := a.Credentials.Application(c.Context(), access.System(realm), where...)
	return realm, app, notConfigured(err)
}

func notConfigured(err error) error {
	if errors.Is(err, credential.ErrCredential) || errors.Is(err, credential.ErrApplicationNotFound) {
		return errConfig
	}
	return err
}

// publicHeader lets pages of any origin read an answer that holds no secret, and
// keep it for a minute.
func publicHeader() http.Header {
	return http.Header{"Cache-Control": {"public, max-age=60"}, "Access-Control-Allow-Origin": {"*"}}
}
