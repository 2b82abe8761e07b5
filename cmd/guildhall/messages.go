package main

import (
	"guildhall/internal/carrier"
	"guildhall/internal/server"
)

// messageFlags say how mail and text messages leave the server.
type messageFlags struct {
	SMTP          string   `name:"smtp" help:"Mail server: smtps://user:password@host:465, or smtp://host:587 with STARTTLS. Better in the environment than on the command line." env:"GUILDHALL_SMTP" placeholder:"URL"`
	MailFrom      string   `help:"Sender of mail, such as \"Acme <id@acme.example>\"." env:"GUILDHALL_MAIL_FROM" placeholder:"ADDRESS"`
	DKIMKey       string   `name:"dkim-key" help:"Private key that mail is signed with, PEM, RSA or Ed25519." type:"path" placeholder:"FILE"`
	DKIMSelector  string   `name:"dkim-selector" help:"Selector under which the public half is published." placeholder:"NAME"`
	DKIMDomain    string   `name:"dkim-domain" help:"Domain that signs; that of the sender unless given." placeholder:"DOMAIN"`
	Text          string   `help:"Who sends text messages: twilio://account:token@api.twilio.com?from=+15550100, or an https:// address that each is posted to." env:"GUILDHALL_TEXT" placeholder:"URL"`
	TextSecret    string   `help:"Signs what is posted (Standard Webhooks)." env:"GUILDHALL_TEXT_SECRET" placeholder:"SECRET"`
	TextCountries []string `help:"Beginnings of numbers that text messages go to, such as +49. None means all." placeholder:"PREFIX"`
}

func (f messageFlags) messages() server.Messages {
	return server.Messages{
		Mail: carrier.MailConfig{
			URL: f.SMTP, From: f.MailFrom, DKIM: carrier.DKIM{Domain: f.DKIMDomain, Selector: f.DKIMSelector, KeyFile: f.DKIMKey},
		},
		Text: f.Text, Secret: f.TextSecret, Countries: f.TextCountries,
	}
}
