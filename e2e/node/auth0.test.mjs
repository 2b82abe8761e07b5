// npm "auth0" in the two major versions in use, over HTTPS with the development CA.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import * as version7 from 'auth0';
import * as version6 from 'auth0-6';
import { collect, email, server, unique } from './guildhall.mjs';

const connection = 'Username-Password-Authentication';
const password = 'correct horse battery 9 Staple';
const gone = 'No organization found by that id or name';

for (const [version, sdk] of [['7.1.0', version7], ['6.4.0', version6]]) {
  const client = () =>
    new sdk.ManagementClient({
      domain: server.auth0.domain,
      clientId: server.auth0.client_id,
      clientSecret: server.auth0.client_secret,
    });

  /** Expects the error class that the SDK makes of a status, and production's message. */
  const refused = (promise, errorClass, statusCode, message) =>
    assert.rejects(promise, (error) => {
      assert.ok(error instanceof errorClass, `${error?.constructor?.name}: ${error?.message}`);
      assert.equal(error.statusCode, statusCode);
      assert.equal(error.body.message, message);
      return true;
    });

  const user = async (m, name) =>
    (await m.users.create({ connection, email: email(name), password, name })).user_id;

  suite(`auth0 ${version}`, () => {
    test('runs an organization from creation to deletion', async () => {
      const m = client();
      const name = unique('npm-org');
      const org = await m.organizations.create({
        name,
        display_name: 'From npm',
        metadata: { plan: 'gold' },
        branding: { logo_url: 'https://example.test/logo.png', colors: { primary: '#112233', page_background: '#ffffff' } },
      });
      const member = await user(m, unique('npm-user'));
      await m.organizations.members.create(org.id, { members: [member] });

      assert.deepEqual(await m.organizations.get(org.id), {
        id: org.id,
        name,
        display_name: 'From npm',
        metadata: { plan: 'gold' },
        branding: { logo_url: 'https://example.test/logo.png', colors: { primary: '#112233', page_background: '#ffffff' } },
      });
      assert.equal((await m.organizations.getByName(name)).id, org.id);
      const changed = await m.organizations.update(org.id, { display_name: 'Changed' });
      assert.equal(changed.display_name, 'Changed');
      assert.deepEqual(changed.metadata, { plan: 'gold' });

      await refused(m.organizations.create({ name }), sdk.Management.ConflictError, 409, 'An organization with this name already exists.');
      await m.organizations.delete(org.id);
      await refused(m.organizations.get(org.id), sdk.Management.NotFoundError, 404, gone);
      await refused(m.organizations.getByName(name), sdk.Management.NotFoundError, 404, gone);
      await refused(m.organizations.delete(org.id), sdk.Management.NotFoundError, 404, gone);
      // The SDK has no class of its own for a 404 to these two.
      await refused(m.organizations.update(org.id, { display_name: 'x' }), sdk.ManagementError, 404, gone);
      await refused(m.organizations.members.create(org.id, { members: [member] }), sdk.ManagementError, 404, gone);
      assert.equal((await m.users.get(member)).user_id, member, 'the user stays');
      assert.deepEqual(await collect(await m.users.organizations.list(member)), []);
      await m.users.delete(member);
      await refused(m.users.get(member), sdk.Management.NotFoundError, 404, 'The user does not exist.');
    });

    test('adds and removes members and their roles', async () => {
      const m = client();
      const org = await m.organizations.create({ name: unique('npm-roles') });
      const [kept, removed] = [await user(m, unique('npm-kept')), await user(m, unique('npm-removed'))];
      await m.organizations.members.create(org.id, { members: [kept, removed] });
      const role = await m.roles.create({ name: unique('npm-role'), description: 'may edit' });
      await m.organizations.members.roles.assign(org.id, kept, { roles: [role.id] });
      assert.deepEqual((await collect(await m.organizations.members.roles.list(org.id, kept))).map((r) => r.id), [role.id]);
      await m.organizations.members.roles.delete(org.id, kept, { roles: [role.id] });
      assert.deepEqual(await collect(await m.organizations.members.roles.list(org.id, kept)), []);
      await m.organizations.members.delete(org.id, { members: [removed] });
      assert.deepEqual((await collect(await m.organizations.members.list(org.id))).map((u) => u.user_id), [kept]);
      await refused(
        m.organizations.members.roles.list(org.id, removed),
        sdk.Management.NotFoundError,
        404,
        'User is not a member of this organization',
      );
      await m.roles.delete(role.id);
      await refused(m.roles.get(role.id), sdk.Management.NotFoundError, 404, 'The role does not exist.');
      await m.organizations.delete(org.id);
      await Promise.all([kept, removed].map((id) => m.users.delete(id)));
    });

    test('pages through organizations, members and users', async () => {
      const m = client();
      const orgs = [];
      const users = [];
      for (let i = 0; i < 5; i += 1) {
        orgs.push((await m.organizations.create({ name: unique('npm-page') })).id);
        users.push(await user(m, unique('npm-page-user')));
      }
      await m.organizations.members.create(orgs[0], { members: users });

      const listed = (await collect(await m.organizations.list({ take: 2 }))).map((o) => o.id);
      assert.equal(new Set(listed).size, listed.length, 'no organization twice');
      for (const id of orgs) assert.ok(listed.includes(id), `${id} is listed`);
      const members = (await collect(await m.organizations.members.list(orgs[0], { take: 2 }))).map((u) => u.user_id);
      assert.deepEqual(members.sort(), [...users].sort());
      const everyone = (await collect(await m.users.list({ per_page: 2 }))).map((u) => u.user_id);
      assert.equal(new Set(everyone).size, everyone.length, 'no user twice');
      for (const id of users) assert.ok(everyone.includes(id), `${id} is listed`);

      for (const id of orgs) await m.organizations.delete(id);
      for (const id of users) await m.users.delete(id);
    });

    test('finds and changes users', async () => {
      const m = client();
      const name = unique('npm-person');
      const id = await user(m, name);
      await refused(m.users.create({ connection, email: email(name), password }), sdk.Management.ConflictError, 409, 'The user already exists.');
      assert.deepEqual((await m.users.listUsersByEmail({ email: email(name) })).map((u) => u.user_id), [id]);
      const found = await m.users.list({ q: `email:"${email(name)}"`, search_engine: 'v3' });
      assert.deepEqual(found.data.map((u) => u.user_id), [id]);
      const changed = await m.users.update(id, { name: 'Renamed', app_metadata: { tier: 2 } });
      assert.equal(changed.name, 'Renamed');
      assert.deepEqual(changed.app_metadata, { tier: 2 });
      await m.users.delete(id);
    });

    test('reports bad bodies with the error class of their status', async () => {
      const m = client();
      await assert.rejects(m.organizations.create({ name: 'NOT LOWER CASE' }), (error) => {
        assert.ok(error instanceof sdk.Management.BadRequestError);
        assert.equal(error.body.errorCode, 'invalid_body');
        return true;
      });
      const stranger = new sdk.ManagementClient({ domain: server.auth0.domain, token: 'not.a.token' });
      await assert.rejects(stranger.organizations.list(), (error) => {
        assert.ok(error instanceof sdk.Management.UnauthorizedError);
        return true;
      });
    });
  });
}

// Version 7 dropped the client for signing in; version 6 still has it.
test('auth0 6.4.0 gets a token through its authentication client', async () => {
  const login = new version6.AuthenticationClient({
    domain: server.auth0.domain,
    clientId: server.auth0.client_id,
    clientSecret: server.auth0.client_secret,
  });
  const { data } = await login.oauth.clientCredentialsGrant({ audience: server.auth0.audience });
  assert.equal(data.token_type, 'Bearer');
  const m = new version7.ManagementClient({ domain: server.auth0.domain, token: data.access_token });
  assert.ok(Array.isArray((await m.organizations.list({ take: 1 })).data));
});
