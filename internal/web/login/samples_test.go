package login

import (
	"github.com/a-h/templ"
)

// samples are every page with everything on it.
func samples(v View) map[string]templ.Component {
	at := func(title string, with ...string) View {
		w := v
		w.Title, w.Path = v.t(title, with...), "/sign-in"
		return w
	}
	wrong := func(title, problem string) View {
		w := at(title)
		w.Problem = v.t(problem)
		return w
	}
	inApp := at("sign_in_to", "application", "Acme Analytics")
	inApp.Application = "Acme Analytics"
	methods := []Action{}
	for _, m := range []string{"password", "magic_link", "email_otp", "passkey", "sso"} {
		methods = append(methods, Action{Icon: methodIcons[m], Label: v.t("method_" + m), About: v.t("about_" + m), Name: "method", Value: m})
	}
	orgs := []Action{
		{Logo: "A", Label: "Acme Corporation", Name: "organization", Value: "1"}, {Logo: "G", Label: "Globex", About: v.t("choose_new"), Name: "organization", Value: "2"},
		{Logo: "I", Label: "Initech International Holdings of Northern Europe", Name: "organization", Value: "3"},
	}
	const mail = "ada.lovelace@example.com"
	item := func(icon, title, about, tag string, acts ...Act) Item {
		return Item{ID: "1", Icon: icon, Title: title, About: about, Tag: tag, Acts: acts}
	}
	end := Act{Label: v.t("end"), Path: "/account/sessions/end", Danger: true}
	remove := Act{Label: v.t("remove"), Path: "/account/factors/remove", Danger: true}
	return map[string]templ.Component{
		"identify":       Identify(IdentifyView{View: at("sign_in"), SignUp: true, Passkey: "{}", Providers: []Action{{Icon: "google", Label: "Google", Value: "1"}, {Label: "Contoso", Value: "2"}}}),
		"identify-app":   Identify(IdentifyView{View: inApp, SignUp: true, Passkey: "{}", Providers: []Action{{Icon: "google", Label: "Google", Value: "1"}}}),
		"identify-wrong": Identify(IdentifyView{View: wrong("sign_in", "problem_identifier"), Identifier: "ada"}),
		"sign-up":        Identify(IdentifyView{View: at("sign_up"), New: true}),
		"methods":        Methods(MethodsView{View: at("methods"), Identifier: mail, Methods: methods}),
		"password":       Password(PasswordView{View: at("password_title"), Identifier: mail, Others: true, Reset: true}),
		"password-wrong": Password(PasswordView{View: wrong("password_title", "problem_credentials"), Identifier: mail, Others: true, Reset: true}),
		"code":           Code(CodeView{View: at("code_title"), Kind: "email_otp", SentTo: mail, Identifier: mail, Others: true, Resend: true}),
		"code-totp":      Code(CodeView{View: at("code_title_totp"), Kind: "totp", Identifier: mail, Others: true}),
		"code-recovery":  Code(CodeView{View: wrong("code_title_recovery_code", "problem_code"), Kind: "recovery_code", Identifier: mail}),
		"link-sent":      Code(CodeView{View: at("code_title"), Kind: "magic_link", SentTo: mail, Identifier: mail, Others: true, Resend: true}),
		"link":           Link(LinkView{View: at("link_title"), Token: "t", Action: "/sign-in/link", Lead: v.t("link_lead", "name", v.goal()), Label: v.t("link_confirm")}),
		"passkey":        Passkey(PasskeyView{View: at("passkey_title"), Identifier: mail, Options: "{}", Others: true}),
		"account-new":    SignUpPage(SignUpView{View: at("account_title"), Email: mail, Password: true}),
		"choose":         Choose(ChooseView{View: at("choose_title"), Person: "Ada Lovelace", Organizations: orgs, None: true}),
		"join":           Confirm(ConfirmView{View: at("join_title", "organization", "Acme"), Icon: "organization", Lead: v.t("join_lead"), Action: "/sign-in/join", Yes: v.t("join"), No: v.t("cancel")}),
		"enrol":          Enrol(EnrolView{View: at("enrol_title"), Methods: []Action{{Icon: "passkey", Label: v.t("method_passkey"), About: v.t("about_passkey")}, {Icon: "phone", Label: v.t("method_totp"), About: v.t("about_totp")}}}),
		"totp":           TOTP(TOTPView{View: at("totp_title"), URI: "otpauth://totp/Acme:ada@example.com?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Acme", Secret: "JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP", Action: "/sign-in/totp"}),
		"passkey-new":    NewPasskey(NewPasskeyView{View: at("new_passkey_title"), Options: "{}", Action: "/account/passkeys"}),
		"rename":         Rename(RenameView{View: at("rename_title"), ID: "1", Name: "MacBook"}),
		"codes":          Codes(CodesView{View: at("codes_title"), Codes: []string{"7F3K-9QPL", "B2XM-44TD", "9JWC-PL2K", "HH8D-3VNX", "Q7RZ-MT5B", "3CKX-W9FJ", "XP6L-22HN", "DD4T-K8VQ", "M9BC-7RWJ", "L3XZ-5FQP"}, Next: "/account"}),
		"reset":          Reset(ResetView{View: at("reset_title")}),
		"reset-sent":     Reset(ResetView{View: at("reset_sent_title"), Identifier: mail, Sent: true}),
		"new-password":   NewPassword(NewPasswordView{View: wrong("new_password_title", "problem_weak"), Action: "/reset", Token: "t", Email: mail}),
		"invitation":     Invitation(InvitationView{View: at("invitation_title"), Organization: v.Name, Inviter: "Grace Hopper", Email: mail, Ticket: "t"}),
		"consent":        Consent(ConsentView{View: at("consent_title"), Application: "Acme Analytics", Person: "Ada Lovelace · " + mail, Request: "r", Scopes: []string{v.t("scope_openid"), v.t("scope_email"), v.t("scope_offline_access"), v.t("scope_other", "scope", "read:reports")}}),
		"device":         Device(DeviceView{View: at("device_title")}),
		"device-confirm": Device(DeviceView{View: at("device_title"), Code: "WDJB-MJHT", Application: "Acme TV", Person: mail, Organization: v.Name, Scopes: []string{v.t("scope_profile")}}),
		"sign-out":       Confirm(ConfirmView{View: at("sign_out_title"), Icon: "out", Lead: v.t("sign_out_lead", "name", v.Name), Action: "/sign-out", Yes: v.t("sign_out"), No: v.t("stay")}),
		"signed-out":     Message(MessageView{View: at("signed_out_title"), Kind: "good", Icon: "check", Lead: v.t("signed_out"), Label: v.t("sign_in"), Link: "/sign-in"}),
		"error":          Message(MessageView{View: at("error_title"), Kind: "bad", Icon: "alert", Lead: v.t("problem_link"), Label: v.t("start_again"), Link: "/sign-in", Extra: v.t("reference", "id", "01J9ZK7Q")}),
		"code-text":      Code(CodeView{View: at("code_title_sms_otp"), Kind: "sms_otp", SentTo: "+15550100", Identifier: "+15550100", Others: true, Resend: true}),
		"second":         Methods(MethodsView{View: at("second_title"), Identifier: mail, Methods: []Action{methods[3], {Icon: "phone", Label: v.t("method_totp"), About: v.t("about_totp")}, {Icon: "shield", Label: v.t("method_recovery_code"), About: v.t("about_recovery_code")}}}),
		"sign-up-work":   Identify(IdentifyView{View: wrong("sign_up", "problem_challenge"), New: true, Identifier: mail, Work: Work{Puzzle: "{}"}}),
		"sign-up-closed": Message(MessageView{View: at("sign_up"), Icon: "mail", Lead: v.t("problem_sign_up"), Label: v.t("back_to_sign_in"), Link: "/sign-in"}),
		"link-elsewhere": Message(MessageView{View: at("link_title"), Icon: "mail", Lead: v.t("link_elsewhere"), Label: v.t("back_to_sign_in"), Link: "/sign-in"}),
		"onward":         Onward(MessageView{View: at("onward_title"), Lead: v.t("onward"), Label: v.t("continue"), Link: "/"}),
		"verify":         Link(LinkView{View: at("verify_title"), Token: "t", Action: "/verify", Lead: v.t("verify_lead"), Label: v.t("totp_confirm")}),
		"unlock":         Confirm(ConfirmView{View: at("unlock_title"), Icon: "lock", Lead: v.t("unlock_lead"), Action: UnlockPath, Yes: v.t("unlock")}),
		"confirm-link":   Confirm(ConfirmView{View: at("confirm_link_title"), Icon: "link", Lead: v.t("confirm_link_lead", "provider", "Google"), Action: "/sign-in/confirm-link", Yes: v.t("confirm_link"), No: v.t("cancel")}),
		"select":         Confirm(ConfirmView{View: at("choose_account"), Icon: "passkey", Lead: v.t("choose_lead", "person", mail), Action: "/consent", Yes: v.t("continue"), No: v.t("other_account")}),
		"password-set":   NewPassword(NewPasswordView{View: at("password_set"), Action: "/account/password", Email: mail}),
		"account-bare":   Account(AccountView{View: at("account_page"), Person: mail, Email: mail, Sessions: []Item{item("device", "Firefox, Linux", v.t("last_seen", "address", "198.51.100.7", "time", "2026-11-22 08:01"), v.t("this_device"))}}),
		"account": Account(AccountView{
			View: at("account_page"), Person: "Ada Lovelace", Email: mail, Password: true,
			Memberships:  []Item{item("organization", "Acme Corporation", v.t("joined_at", "time", "2026-03-01"), v.t("current")), item("organization", "Globex", v.t("joined_at", "time", "2026-05-11"), "", Act{Label: v.t("switch"), Path: "/account/switch"})},
			Passkeys:     []Item{item("passkey", "MacBook", v.t("used_at", "time", "20 November 2026, 09:12 UTC"), "", Act{Label: v.t("rename"), Path: "/account/factors/name", Get: true}, remove)},
			Factors:      []Item{item("phone", v.t("totp_name"), v.t("added_at", "time", "2026-10-01"), "", remove), item("shield", v.t("method_recovery_code"), v.t("codes_left", "n", "8"), "", remove)},
			Sessions:     []Item{item("device", "Firefox, Linux", v.t("last_seen", "address", "198.51.100.7", "time", "2026-11-22 08:01"), v.t("this_device")), item("phone", "Safari, iPhone", v.t("last_seen", "address", "2001:db8::7", "time", "2026-11-21 22:41"), "", end)},
			Applications: []Item{item("link", "Acme Analytics", "Last used 22 November 2026, 08:01 UTC · "+v.t("scope_openid")+" · "+v.t("scope_email")+" · "+v.t("scope_offline_access"), "", Act{Label: v.t("revoke"), Path: "/account/applications/revoke", Danger: true})},
			Connected:    []Item{item("link", "Google", mail, "", Act{Label: v.t("disconnect"), Path: "/account/identities/remove", Danger: true})},
		}),
	}
}
