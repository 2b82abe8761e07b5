// npm "stytch" 14.2.0: over HTTPS with the development CA, and over plain HTTP, which it allows with a warning.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import stytch from 'stytch';
import { email, server, unique } from './guildhall.mjs';

const credentials = { project_id: server.stytch.project_id, secret: server.stytch.secret };
const clients = {
  HTTPS: () => new stytch.B2BClient({ ...credentials, custom_base_url: server.https }),
  HTTP: () => new stytch.B2BClient({ ...credentials, env: `${server.http}/` }),
};

const refused = (promise, status, type) =>
  assert.rejects(promise, (error) => {
    assert.ok(error instanceof stytch.StytchError, `${error?.constructor?.name}: ${error?.message}`);
    assert.equal(error.status_code, status);
    assert.equal(error.error_type, type);
    assert.match(error.request_id, /^request-id-test-/);
    return true;
  });

for (const [transport, client] of Object.entries(clients)) {
  suite(`stytch 14.2.0 over ${transport}`, () => {
    const organization = async (api, name) =>
      (await api.organizations.create({ organization_name: name, organization_slug: name })).organization;

    test('runs an organization from creation to deletion', async () => {
      const api = client();
      const name = unique('npm-st');
      const external = `${name}|tenant`;
      const created = await api.organizations.create({
        organization_name: 'From npm',
        organization_slug: name,
        organization_external_id: external,
        trusted_metadata: { plan: 'gold' },
      });
      assert.equal(created.status_code, 200);
      const id = created.organization.organization_id;
      const { member } = await api.organizations.members.create({
        organization_id: external,
        email_address: email(name),
        name: 'Ada',
        roles: ['stytch_admin'],
      });
      for (const reference of [id, name, external]) {
        const { organization: got } = await api.organizations.get({ organization_id: reference });
        assert.equal(got.organization_id, id);
        assert.deepEqual(got.trusted_metadata, { plan: 'gold' });
      }
      const changed = await api.organizations.update({ organization_id: name, organization_name: 'Changed' });
      assert.equal(changed.organization.organization_name, 'Changed');
      assert.equal(changed.organization.organization_external_id, external);

      const deleted = await api.organizations.delete({ organization_id: external });
      assert.equal(deleted.organization_id, id);
      for (const reference of [id, name, external]) {
        await refused(api.organizations.get({ organization_id: reference }), 404, 'organization_not_found');
        await refused(api.organizations.delete({ organization_id: reference }), 404, 'organization_not_found');
      }
      await refused(api.organizations.members.dangerouslyGet({ member_id: member.member_id, include_deleted: true }), 404, 'member_not_found');
    });

    test('deletes the external id and nothing else', async () => {
      const api = client();
      const name = unique('npm-ext');
      const external = `${name}|tenant.7`;
      const { organization: before } = await api.organizations.create({
        organization_name: name,
        organization_slug: name,
        organization_external_id: external,
        email_allowed_domains: [`${name}.test`],
      });
      const { organization: after } = await api.organizations.deleteExternalId({ organization_id: external });
      assert.equal(after.organization_external_id ?? null, null);
      assert.deepEqual(
        { ...after, organization_external_id: null, updated_at: null },
        { ...before, organization_external_id: null, updated_at: null },
      );
      await refused(api.organizations.get({ organization_id: external }), 404, 'organization_not_found');
      await refused(api.organizations.deleteExternalId({ organization_id: external }), 404, 'organization_not_found');
      assert.equal((await api.organizations.deleteExternalId({ organization_id: name })).status_code, 200);
      const heir = await api.organizations.create({ organization_name: 'Heir', organization_slug: unique('npm-heir'), organization_external_id: external });
      assert.equal(heir.organization.organization_external_id, external);
      await api.organizations.delete({ organization_id: name });
      await api.organizations.delete({ organization_id: external });
    });

    test('runs members through search, change, deletion and their roles', async () => {
      const api = client();
      const org = await organization(api, unique('npm-members'));
      const organization_id = org.organization_id;
      const ids = [];
      for (let i = 0; i < 5; i += 1) {
        const name = unique('npm-member');
        ids.push((await api.organizations.members.create({ organization_id, email_address: email(name), name })).member_id);
      }
      const seen = [];
      let cursor;
      do {
        const page = await api.organizations.members.search({ organization_ids: [org.organization_slug], limit: 2, cursor });
        assert.ok(page.organizations[organization_id], 'organizations come with the members');
        seen.push(...page.members.map((m) => m.member_id));
        cursor = page.results_metadata.next_cursor ?? '';
      } while (cursor !== '');
      assert.deepEqual(seen.sort(), [...ids].sort());

      const member_id = ids[0];
      const changed = await api.organizations.members.update({ organization_id, member_id, name: 'Grace', roles: ['stytch_admin'] });
      assert.equal(changed.member.name, 'Grace');
      assert.deepEqual(changed.member.roles.map((r) => r.role_id).sort(), ['stytch_admin', 'stytch_member']);
      const cleared = await api.organizations.members.update({ organization_id, member_id, roles: [] });
      assert.deepEqual(cleared.member.roles.map((r) => r.role_id), ['stytch_member']);
      await refused(
        api.organizations.members.update({ organization_id, member_id, roles: ['stytch_member'] }),
        400,
        'cannot_assign_default_rbac_role_id',
      );

      assert.equal((await api.organizations.members.delete({ organization_id, member_id })).member_id, member_id);
      await refused(api.organizations.members.get({ organization_id, member_id }), 404, 'member_not_found');
      const soft = await api.organizations.members.dangerouslyGet({ member_id, include_deleted: true });
      assert.equal(soft.member.status, 'deleted');
      await api.organizations.delete({ organization_id });
      await refused(api.organizations.members.search({ organization_ids: [organization_id] }), 404, 'organization_not_found');
    });

    test('fetches key set, policy and organization policy', async () => {
      const api = client();
      const org = await organization(api, unique('npm-policy'));
      const jwks = await api.sessions.getJWKS({ project_id: server.stytch.project_id });
      assert.ok(Array.isArray(jwks.keys));
      const { policy } = await api.rbac.policy();
      assert.ok(policy.roles.some((r) => r.role_id === 'stytch_admin'));
      assert.ok(Array.isArray(policy.scopes) && Array.isArray(policy.resources));
      const own = await api.rbac.organizations.getOrgPolicy({ organization_id: org.organization_id });
      assert.deepEqual(own.org_policy.roles, []);
      await api.organizations.delete({ organization_id: org.organization_id });
      await refused(api.rbac.organizations.getOrgPolicy({ organization_id: org.organization_id }), 404, 'organization_not_found');
    });

    test('searches organizations page by page', async () => {
      const api = client();
      const slugs = [];
      for (let i = 0; i < 5; i += 1) slugs.push((await organization(api, unique('npm-search'))).organization_slug);
      const seen = [];
      let cursor;
      do {
        const page = await api.organizations.search({
          limit: 2,
          cursor,
          query: { operator: 'AND', operands: [{ filter_name: 'organization_slugs', filter_value: slugs }] },
        });
        assert.equal(page.results_metadata.total, slugs.length);
        seen.push(...page.organizations.map((o) => o.organization_slug));
        cursor = page.results_metadata.next_cursor ?? '';
      } while (cursor !== '');
      assert.deepEqual(seen.sort(), [...slugs].sort());
      for (const organization_id of slugs) await api.organizations.delete({ organization_id });
    });

    test('reports wrong credentials', async () => {
      const stranger = new stytch.B2BClient({ ...credentials, secret: 'secret-test-wrong', custom_base_url: server.https });
      await refused(stranger.organizations.search({}), 401, 'unauthorized_credentials');
    });
  });
}
