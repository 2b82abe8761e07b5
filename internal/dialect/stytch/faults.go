package stytch

import "guildhall/internal/fault"

// own stands before the error_type in the reason of a failure that only this wire knows.
const own = Scheme + "/"

// invalid declares a 400 of this wire by its error_type.
func invalid(kind, text string) *fault.Error { return fault.New(fault.Invalid, own+kind, "", text) }

// missing declares a 404 of this wire by its error_type.
func missing(kind, text string) *fault.Error { return fault.New(fault.NotFound, own+kind, "", text) }

// About the request as a whole.
var (
	errBadRequest      = invalid("bad_request", "the request is not valid")
	errSessionNotFound = missing("session_not_found", "Session could not be found.")
	errProjectNotFound = missing("project_not_found", "The project could not be found.")
	errLiveID          = invalid("live_id_used_in_test_environment", "An id of the live environment was used in the test environment.")
	errTestID          = invalid("test_id_used_in_live_environment", "An id of the test environment was used in the live environment.")
	errMetadataFormat  = invalid("metadata_invalid_format", "metadata must be a JSON object")
	errMetadataKeys    = invalid("metadata_too_many_keys", "metadata may have at most 20 top-level keys")
	errMetadataSize    = invalid("metadata_too_large", "metadata may have at most 4 KB")
)

// About organizations.
var (
	errNameMissing       = invalid("organization_name_missing", "organization_name is required")
	errName              = invalid("invalid_organization_name", "organization_name must have 1 to 128 characters")
	errSlug              = invalid("invalid_organization_slug", "organization_slug must have 2 to 128 characters, which may be letters, digits and - . _ ~, and must not look like an organization_id")
	errExternalID        = invalid("invalid_organization_external_id", "organization_external_id must have 1 to 128 characters, which may be letters, digits and . _ - |, and must not look like an organization_id")
	errLogo              = invalid("organization_logo_url_too_long", "organization_logo_url may have at most 2048 characters")
	errAuthFactor        = invalid("invalid_organization_auth_factor_setting", "the setting must be one of ALL_ALLOWED, RESTRICTED and NOT_ALLOWED")
	errEmailJIT          = invalid("invalid_organization_auth_factor_setting_for_email_jit_provisioning", "email_jit_provisioning must be RESTRICTED or NOT_ALLOWED")
	errOAuthTenantJIT    = invalid("invalid_organization_auth_factor_setting_for_oauth_tenant_jit_provisioning", "oauth_tenant_jit_provisioning must be RESTRICTED or NOT_ALLOWED")
	errAuthMethods       = invalid("invalid_organization_auth_method_settings", "auth_methods must be ALL_ALLOWED or RESTRICTED")
	errAllowedMethods    = invalid("invalid_organization_allowed_auth_methods", "allowed_auth_methods may hold sso, magic_link, email_otp, password, google_oauth, microsoft_oauth, slack_oauth, github_oauth and hubspot_oauth")
	errMFAPolicy         = invalid("invalid_organization_mfa_policy", "mfa_policy must be OPTIONAL or REQUIRED_FOR_ALL")
	errMFAMethods        = invalid("invalid_organization_mfa_factor_setting", "mfa_methods must be ALL_ALLOWED or RESTRICTED")
	errAllowedMFAMethods = invalid("invalid_organization_allowed_mfa_methods", "allowed_mfa_methods may hold sms_otp and totp")
	errMethodsNeeded     = invalid("allowed_auth_methods_required_for_restricted", "allowed_auth_methods must not be empty while auth_methods is RESTRICTED")
	errMFAMethodsNeeded  = invalid("allowed_mfa_methods_required_for_restricted", "allowed_mfa_methods must not be empty while mfa_methods is RESTRICTED")
	errDomainsNeeded     = invalid("invalid_restricted_email_setting", "email_allowed_domains must not be empty while email_invites or email_jit_provisioning is RESTRICTED")
	errConnectionsNeeded = invalid("invalid_restricted_sso_setting", "sso_jit_provisioning_allowed_connections must not be empty while sso_jit_provisioning is RESTRICTED")
	errTenantsNeeded     = invalid("invalid_restricted_oauth_tenants_setting", "allowed_oauth_tenants must not be empty while oauth_tenant_jit_provisioning is RESTRICTED")
	errTenantsFormat     = invalid("invalid_oauth_allowed_tenants_format", "allowed_oauth_tenants must be an object with the keys slack, hubspot and github, each with an array of strings")
	errDefaultConnection = invalid("invalid_sso_default_connection_id", "sso_default_connection_id must name an active connection of the organization")
	errNoConnection      = missing("sso_connection_not_found", "The SSO connection could not be found.")
	errNoWayIn           = errAuthFactor.Saying("sso_jit_provisioning, email_jit_provisioning and email_invites must not all be NOT_ALLOWED")

	errDomain          = invalid("organization_settings_invalid_domain", "email_allowed_domains holds an invalid domain")
	errDomainCommon    = invalid("organization_settings_domain_too_common", "email_allowed_domains must not hold domains of common mail providers")
	errDomainTwice     = invalid("organization_settings_duplicate_domain", "email_allowed_domains holds a domain twice")
	errDomainThrowaway = invalid("organization_settings_disposable_domain", "email_allowed_domains must not hold domains of disposable addresses")
	errClaimed         = invalid("organization_settings_invalid_claimed_domain", "claimed_email_domains holds an invalid domain")
	errClaimedCommon   = invalid("organization_settings_claimed_domain_too_common", "claimed_email_domains must not hold domains of common mail providers")
	errClaimedTwice    = invalid("organization_settings_duplicate_claimed_domain", "claimed_email_domains holds a domain twice")
	errTooManyDomains  = invalid("too_many_domains", "a list of domains may have at most 500 entries")
)

// About members.
var (
	errMemberGetFields   = invalid("invalid_member_get_fields", "either member_id or email_address is required")
	errEmail             = invalid("invalid_email", "email_address is not a valid email address")
	errPhone             = invalid("invalid_phone_number", "mfa_phone_number must be in E.164 form, such as +12025550123")
	errDefaultMFA        = invalid("invalid_mfa_default_method", "default_mfa_method must be sms_otp or totp")
	errDefaultMFAMissing = invalid("default_mfa_member_missing_factor", "the member has no factor of this default_mfa_method")
	errEmailRetired      = invalid("retired_member_email", "The email address is a retired address of a member of the organization.")
	errEmailNotActive    = invalid("email_updates_available_only_for_active_members", "the email address of a member can be changed only while the member is active")
	errNothingDeleted    = invalid("no_deleted_member_found_for_reactivation", "there is no deleted member with this member_id")
	errEmailUnverified   = invalid("email_unverified_for_reactivation", "a member can be reactivated only with a verified email address")
	errNoEmailIdentifier = invalid("retired_email_missing_email_identifiers", "email_id or email_address is required")
	errEmailNotFound     = missing("email_not_found", "The email address could not be found among the retired addresses of the member.")
	errRoleAssignment    = invalid("invalid_rbac_role_assignment", "A role that was named does not exist for this organization.")
	errDefaultRole       = invalid("cannot_assign_default_rbac_role_id", "stytch_member is assigned to every member and cannot be assigned explicitly")
	errMappingDomain     = invalid("rbac_invalid_domain", "rbac_email_implicit_role_assignments holds an invalid domain")
	errMappingCommon     = invalid("rbac_domain_too_common", "rbac_email_implicit_role_assignments must not hold domains of common mail providers")
)

// About searches. The last part of a type is put together with the object searched for; see searched.
var (
	errSearchTimeout  = invalid("search_timeout", "the search reaches too far; narrow it")
	errSearchStatus   = invalid("search_invalid_status_filter", "statuses may hold active, pending, invited and deleted")
	errNoOrganization = invalid("member_search_organization_ids_empty", "organization_ids must name at least one organization")
	errMixedIDs       = invalid("member_search_cannot_mix_internal_and_external_member_ids", "member_ids must hold either ids or external ids")
)

// About the policy of an organization.
var (
	errRoleEmpty       = invalid("empty_rbac_role_id", "role_id is required")
	errRoleLong        = invalid("rbac_role_id_too_long", "role_id may have at most 100 characters")
	errRoleDescription = invalid("rbac_description_too_long", "description may have at most 500 characters")
	errRoleTwice       = invalid("rbac_role_duplicate", "a role_id is used twice")
	errRoleBare        = invalid("rbac_role_missing_permissions", "a role must have permissions")
	errRoleReserved    = invalid("invalid_rbac_stytch_role_edit", "role_ids that begin with stytch_ are reserved")
	errRoleForm        = invalid("invalid_rbac_custom_role", "a role must be an object with role_id, description and permissions")
	errTooManyRoles    = invalid("too_many_roles", "an organization may have at most 500 roles of its own")
	errResourceEmpty   = invalid("empty_rbac_resource_id", "resource_id is required")
	errResource        = invalid("invalid_permission_resource", "a permission names a resource that does not exist")
	errActionsMissing  = invalid("rbac_permission_missing_actions", "a permission must have actions")
	errAction          = invalid("invalid_permission_action", "a permission names an action that its resource does not have")
	errActionLong      = invalid("rbac_action_too_long", "an action may have at most 200 characters")
	errActionTwice     = invalid("rbac_action_duplicate", "a permission names an action twice")
	errWildcardMixed   = invalid("cannot_specify_wildcard_with_other_actions", "the action * must stand alone")
)
