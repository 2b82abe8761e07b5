package auth0

import "regexp"

// Words for shapes that recur.
var (
	boolean  = shape{kind: "boolean"}
	anything = shape{kind: "object"}
	anyText  = shape{kind: "string", least: 1}
)

func textOf(least, most int) shape { return shape{kind: "string", least: least, most: most} }

func formed(format string, most int) shape {
	return shape{kind: "string", least: 1, most: most, format: format}
}

func objectOf(members map[string]shape, required ...string) shape {
	return shape{kind: "object", members: members, required: required}
}

// mostAtOnce is how many ids one call may name. The vendor documents ten and is
// seen to take more.
const mostAtOnce = 50

// longestLocal is the length of the longest user id that a caller may choose,
// without what stands before it.
const longestLocal = 240

func idsOf(name string) shape {
	return objectOf(map[string]shape{name: {kind: "array", least: 1, most: mostAtOnce, each: &anyText}}, name)
}

var (
	quota = shape{kind: "object", nullable: true, members: map[string]shape{"client_credentials": {
		kind: "object", members: map[string]shape{
			"enforce": boolean, "per_day": {kind: "integer", least: 1, most: 1 << 31}, "per_hour": {kind: "integer", least: 1, most: 1 << 31},
		},
	}}}
	color        = formed("css-hex-color", 0)
	metadataText = textOf(0, 255)

	organizationMembers = map[string]shape{
		"name": formed("organization-name", 50), "display_name": textOf(1, 255),
		"branding": objectOf(map[string]shape{
			"logo_url": formed("strict-uri", 2048),
			"colors":   objectOf(map[string]shape{"primary": color, "page_background": color}, "primary", "page_background"),
		}),
		"metadata":    {kind: "object", keys: 25, each: &metadataText},
		"token_quota": quota,
	}
	organizationUpdate = objectOf(organizationMembers)
	organizationCreate = objectOf(with(organizationMembers, map[string]shape{
		"enabled_connections": {kind: "array", most: 10, each: &shape{kind: "object", members: map[string]shape{
			"connection_id": {kind: "string", pattern: connectionForm}, "assign_membership_on_login": boolean,
			"show_as_button": boolean, "is_signup_enabled": boolean,
		}, required: []string{"connection_id"}}},
	}), "name")

	connectionForm = regexp.MustCompile(`^con_[A-Za-z0-9]{16}$`)

	memberIDs = idsOf("members")
	roleIDs   = idsOf("roles")
	userIDs   = idsOf("users")

	invitationCreate = objectOf(map[string]shape{
		"inviter":   objectOf(map[string]shape{"name": textOf(1, 300)}, "name"),
		"invitee":   objectOf(map[string]shape{"email": formed("email", 254)}, "email"),
		"client_id": anyText, "connection_id": {kind: "string", pattern: connectionForm},
		"app_metadata": anything, "user_metadata": anything, "ttl_sec": {kind: "integer", most: 2592000},
		"roles": {kind: "array", least: 1, most: 50, each: &anyText}, "send_invitation_email": boolean,
	}, "client_id", "invitee", "inviter")

	domainMembers = map[string]shape{
		"status": {kind: "string", among: []string{"pending", "verified"}}, "use_for_organization_discovery": boolean,
	}
	domainUpdate = objectOf(domainMembers)
	domainCreate = objectOf(with(domainMembers, map[string]shape{"domain": textOf(3, 255)}), "domain")

	userMembers = map[string]shape{
		"email": formed("email", 254), "email_verified": boolean, "username": textOf(1, 128),
		"phone_number": {kind: "string", pattern: regexp.MustCompile(`^\+[0-9]{1,15}$`)}, "phone_verified": boolean,
		"user_metadata": anything, "app_metadata": anything, "blocked": boolean,
		"given_name": textOf(1, 150), "family_name": textOf(1, 150), "name": textOf(1, 300), "nickname": textOf(1, 300),
		"picture": formed("strict-uri", 2048), "password": anyText, "verify_email": boolean, "connection": anyText,
	}
	userCreate = objectOf(with(userMembers, map[string]shape{
		"user_id": {kind: "string", most: longestLocal, pattern: regexp.MustCompile(`^\S*$`)},
	}), "connection")
	userUpdate = objectOf(with(userMembers, map[string]shape{"verify_phone_number": boolean, "client_id": anyText}))

	roleMembers = map[string]shape{"name": textOf(1, 200), "description": textOf(0, 1000)}
	roleUpdate  = objectOf(roleMembers)
	roleCreate  = objectOf(with(roleMembers, map[string]shape{
		"type": {kind: "string", among: []string{"tenant", "organization"}}, "owner_id": formed("organization-id", 50),
	}), "name")

	rolePermissions = objectOf(map[string]shape{"permissions": {
		kind: "array", least: 1, most: 100, each: &shape{kind: "object", members: map[string]shape{
			"permission_name": textOf(1, 280), "resource_server_identifier": textOf(1, 600),
		}, required: []string{"permission_name", "resource_server_identifier"}},
	}}, "permissions")
)

func with(members, more map[string]shape) map[string]shape {
	all := make(map[string]shape, len(members)+len(more))
	for name, s := range members {
		all[name] = s
	}
	for name, s := range more {
		all[name] = s
	}
	return all
}
