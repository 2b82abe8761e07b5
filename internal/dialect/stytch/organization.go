package stytch

import (
	"guildhall/internal/directory"
	"guildhall/internal/edge"
)

// An organization is the vendor's Organization object. Every field is always
// there; only those with a pointer may be null.
type organization struct {
	OrganizationID                     string              `json:"organization_id"`
	OrganizationName                   string              `json:"organization_name"`
	OrganizationSlug                   string              `json:"organization_slug"`
	OrganizationLogoURL                string              `json:"organization_logo_url"`
	OrganizationExternalID             *string             `json:"organization_external_id"`
	TrustedMetadata                    directory.Metadata  `json:"trusted_metadata"`
	SSOJITProvisioning                 string              `json:"sso_jit_provisioning"`
	SSOJITProvisioningAllowed          []string            `json:"sso_jit_provisioning_allowed_connections"`
	SSODefaultConnectionID             *string             `json:"sso_default_connection_id"`
	SSOActiveConnections               []struct{}          `json:"sso_active_connections"`
	SCIMActiveConnection               *struct{}           `json:"scim_active_connection"`
	EmailAllowedDomains                []string            `json:"email_allowed_domains"`
	EmailJITProvisioning               string              `json:"email_jit_provisioning"`
	EmailInvites                       string              `json:"email_invites"`
	AuthMethods                        string              `json:"auth_methods"`
	AllowedAuthMethods                 []string            `json:"allowed_auth_methods"`
	MFAPolicy                          string              `json:"mfa_policy"`
	MFAMethods                         string              `json:"mfa_methods"`
	AllowedMFAMethods                  []string            `json:"allowed_mfa_methods"`
	RBACEmailImplicitRoleAssignments   []mapping           `json:"rbac_email_implicit_role_assignments"`
	OAuthTenantJITProvisioning         string              `json:"oauth_tenant_jit_provisioning"`
	AllowedOAuthTenants                map[string][]string `json:"allowed_oauth_tenants"`
	ClaimedEmailDomains                []string            `json:"claimed_email_domains"`
	FirstPartyConnectedAppsAllowedType string              `json:"first_party_connected_apps_allowed_type"`
	AllowedFirstPartyConnectedApps     []string            `json:"allowed_first_party_connected_apps"`
	ThirdPartyConnectedAppsAllowedType string              `json:"third_party_connected_apps_allowed_type"`
	AllowedThirdPartyConnectedApps     []string            `json:"allowed_third_party_connected_apps"`
	CustomRoles                        []role              `json:"custom_roles"`
	CreatedAt                          *string             `json:"created_at"`
	UpdatedAt                          *string             `json:"updated_at"`
}

// A mapping gives a role to everybody with an address in a domain.
type mapping struct {
	Domain string `json:"domain"`
	RoleID string `json:"role_id"`
}

// organizationReply is the body of the operations on one organization.
type organizationReply struct {
	envelope
	Organization organization `json:"organization"`
}

// shownOrganization spells an organization with the roles of its own.
func shownOrganization(c edge.Call, o directory.Organization, own []directory.Role) organization {
	s := o.Settings
	out := organization{
		OrganizationID: organizationSpelling(c, o), OrganizationName: o.Name, OrganizationSlug: o.Slug,
		OrganizationLogoURL: o.Branding.LogoURL, OrganizationExternalID: optional(o.ExternalID), TrustedMetadata: object(o.Private),
		SSOJITProvisioning: word(s.SSOJIT, allAllowed), SSOJITProvisioningAllowed: list(s.SSOJITConnections),
		SSODefaultConnectionID: optional(s.DefaultConnection), SSOActiveConnections: []struct{}{},
		EmailAllowedDomains: list(s.EmailDomains), EmailJITProvisioning: word(s.EmailJIT, notAllowed), EmailInvites: word(s.EmailInvites, allAllowed),
		AuthMethods: word(s.Methods, allAllowed), AllowedAuthMethods: list(s.AllowedMethods),
		MFAPolicy: "OPTIONAL", MFAMethods: word(s.MFAMethods, allAllowed), AllowedMFAMethods: list(s.AllowedMFAMethods),
		RBACEmailImplicitRoleAssignments: make([]mapping, len(s.EmailRoles)),
		OAuthTenantJITProvisioning:       word(s.OAuthTenantJIT, notAllowed), AllowedOAuthTenants: object(s.OAuthTenants),
		ClaimedEmailDomains:                list(s.ClaimedDomains),
		FirstPartyConnectedAppsAllowedType: word(s.FirstPartyApps, allAllowed), AllowedFirstPartyConnectedApps: list(s.AllowedFirstParty),
		ThirdPartyConnectedAppsAllowedType: word(s.ThirdPartyApps, allAllowed), AllowedThirdPartyConnectedApps: list(s.AllowedThirdParty),
		CustomRoles: shownRoles(own), CreatedAt: moment(o.CreatedAt), UpdatedAt: moment(o.UpdatedAt),
	}
	if s.MFARequired {
		out.MFAPolicy = "REQUIRED_FOR_ALL"
	}
	for i, m := range s.EmailRoles {
		out.RBACEmailImplicitRoleAssignments[i] = mapping{m.Domain, m.Role}
	}
	return out
}

// showOrganization answers with an organization.
func (a *API) showOrganization(c edge.Call, o directory.Organization) (edge.Reply, error) {
	known, err := a.rolesOf(c, o.ID)
	if err != nil {
		return edge.Reply{}, err
	}
	return edge.OK(organizationReply{ok(c), shownOrganization(c, o, known.own[o.ID])}), nil
}
