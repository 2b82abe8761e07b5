package zitadel

import (
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/auth"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/instance"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/management"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/policy"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/system"

	"guildhall/internal/access"
	"guildhall/internal/dialect/zitadel/wire"
	"guildhall/internal/id"
	"guildhall/internal/realm"
)

// languages are those that texts can be asked for in.
var languages = []string{"en"}

func (a *API) instanceMethods() []wire.Endpoint {
	return []wire.Endpoint{
		method(admin.AdminService_Healthz_FullMethodName, func(*call, *admin.HealthzRequest) (*admin.HealthzResponse, error) {
			return &admin.HealthzResponse{}, nil
		}),
		method(management.ManagementService_Healthz_FullMethodName, func(*call, *management.HealthzRequest) (*management.HealthzResponse, error) {
			return &management.HealthzResponse{}, nil
		}),
		method(auth.AuthService_Healthz_FullMethodName, func(*call, *auth.HealthzRequest) (*auth.HealthzResponse, error) {
			return &auth.HealthzResponse{}, nil
		}),
		method(system.SystemService_Healthz_FullMethodName, func(*call, *system.HealthzRequest) (*system.HealthzResponse, error) {
			return &system.HealthzResponse{}, nil
		}),
		method(admin.AdminService_GetDomainPolicy_FullMethodName, func(c *call, _ *admin.GetDomainPolicyRequest) (*admin.GetDomainPolicyResponse, error) {
			p, err := a.domainPolicy(c)
			return &admin.GetDomainPolicyResponse{Policy: p}, err
		}),
		method(management.ManagementService_GetDomainPolicy_FullMethodName, func(c *call, _ *management.GetDomainPolicyRequest) (*management.GetDomainPolicyResponse, error) {
			p, err := a.domainPolicy(c)
			return &management.GetDomainPolicyResponse{Policy: p}, err
		}),
		method(admin.AdminService_GetSupportedLanguages_FullMethodName, func(*call, *admin.GetSupportedLanguagesRequest) (*admin.GetSupportedLanguagesResponse, error) {
			return &admin.GetSupportedLanguagesResponse{Languages: languages}, nil
		}),
		method(management.ManagementService_GetSupportedLanguages_FullMethodName, func(*call, *management.GetSupportedLanguagesRequest) (*management.GetSupportedLanguagesResponse, error) {
			return &management.GetSupportedLanguagesResponse{Languages: languages}, nil
		}),
		method(auth.AuthService_GetSupportedLanguages_FullMethodName, func(*call, *auth.GetSupportedLanguagesRequest) (*auth.GetSupportedLanguagesResponse, error) {
			return &auth.GetSupportedLanguagesResponse{Languages: languages}, nil
		}),
		method(admin.AdminService_GetMyInstance_FullMethodName, a.getMyInstance),
		method(management.ManagementService_GetIAM_FullMethodName, a.getIAM),
	}
}

func (a *API) getMyInstance(c *call, _ *admin.GetMyInstanceRequest) (*admin.GetMyInstanceResponse, error) {
	r, err := a.realm(c)
	if err != nil {
		return nil, err
	}
	name := spell(r.ID, id.Realm, r.ID, "")
	out := &instance.InstanceDetail{Id: name, Details: read(r.Stamp, name), State: instance.State_STATE_RUNNING, Name: r.Name}
	for i, origin := range r.Origins {
		out.Domains = append(out.Domains, &instance.Domain{Details: read(r.Stamp, name), Domain: hostOf(origin), Primary: i == 0})
	}
	return &admin.GetMyInstanceResponse{Instance: out}, nil
}

func (a *API) getIAM(c *call, _ *management.GetIAMRequest) (*management.GetIAMResponse, error) {
	r, err := a.realm(c)
	if err != nil {
		return nil, err
	}
	organization, err := a.spelling(c, id.Organization, r.Default)
	if err != nil {
		return nil, err
	}
	project, err := a.spelling(c, id.Project, r.SystemProject)
	return &management.GetIAMResponse{GlobalOrgId: organization, DefaultOrgId: organization, IamProjectId: project}, err
}

// domainPolicy says how names and domains are treated here, which nothing changes:
// names are taken as they are, and domains have to be proved.
func (a *API) domainPolicy(c *call) (*policy.DomainPolicy, error) {
	r, err := a.realm(c)
	return &policy.DomainPolicy{Details: read(r.Stamp, instanceID(c)), IsDefault: true, ValidateOrgDomains: true}, err
}

// realm gives the caller's realm: what ZITADEL calls the instance.
func (a *API) realm(c *call) (realm.Realm, error) {
	return a.Realms.Realm(c, access.System(c.Actor.Realm), c.Actor.Realm)
}

// instanceID is how the instance is spelled: the owner of organizations that
// have just ended.
func instanceID(c *call) string { return spell(c.Actor.Realm, id.Realm, c.Actor.Realm, "") }

func hostOf(origin string) string {
	u, err := url.Parse(origin)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// A hosts remembers for a short while under which name each realm is reached,
// since every organization that is shown carries it.
type hosts struct {
	mu    sync.Mutex
	known map[id.ID]host
}

type host struct {
	name  string
	until time.Time
}

const (
	hostsMost = 1024
	hostsLife = 5 * time.Second
)

// domainOf is the name under which a realm is reached.
func domainOf(r realm.Realm) string {
	if i := slices.IndexFunc(r.Origins, func(o string) bool { return hostOf(o) != "" }); i >= 0 {
		return hostOf(r.Origins[i])
	}
	return "localhost"
}

// instanceDomain is the domain below which every organization has its own.
func (a *API) instanceDomain(c *call) (string, error) {
	now := a.Now()
	a.hosts.mu.Lock()
	h, ok := a.hosts.known[c.Actor.Realm]
	a.hosts.mu.Unlock()
	if ok && now.Before(h.until) {
		return h.name, nil
	}
	r, err := a.realm(c)
	if err != nil {
		return "", err
	}
	h = host{name: domainOf(r), until: now.Add(hostsLife)}
	a.hosts.mu.Lock()
	defer a.hosts.mu.Unlock()
	if a.hosts.known == nil || len(a.hosts.known) >= hostsMost {
		a.hosts.known = map[id.ID]host{}
	}
	a.hosts.known[c.Actor.Realm] = h
	return h.name, nil
}
