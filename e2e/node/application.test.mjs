// Applications send people to the hosted pages and get them back: consent, devices, organizations, identity providers.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { after, before, suite, test } from 'node:test';
import { api, link, mail, open } from './browser.mjs';
import { server, unique } from './guildhall.mjs';
import { invited, password, signUp } from './people.mjs';

/** Another server of ours, whose people sign in here as well. */
const other = JSON.parse(readFileSync(process.env.GUILDHALL_PROVIDER, 'utf8'));
const origin = 'http://127.0.0.1';
let site, home, back;

before(async () => {
  // An application that moves on to another origin when it has got somebody back, as many do.
  const answer = (text) => (q, r) => r.writeHead(200, { 'content-type': 'text/html' }).end(`<!doctype html><html lang="en"><title>${text}</title><h1>${text}</h1>`);
  home = createServer(answer('Welcome')).listen(0);
  site = createServer((q, r) => {
    const at = new URL(q.url, 'http://x');
    if (at.searchParams.has('code')) r.writeHead(302, { location: `http://localhost:${home.address().port}/home${at.search}` }).end();
    else answer(at.searchParams.get('error') ?? 'Nothing')(q, r);
  }).listen(0);
  await Promise.all([home, site].map((s) => new Promise((done) => s.once('listening', done))));
  back = `${origin}:${site.address().port}/callback`;
});

after(() => {
  site.close();
  home.close();
});

const application = (settings = {}, at = server) => api('POST', '/applications', { name: 'Acme Reports', sign_in: { kind: 'web', redirect_uris: [back], ...settings } }, at);

/** The address to which an application sends people. */
function authorize(client, more = {}) {
  const verifier = unique('verifier').padEnd(50, 'x');
  const q = new URLSearchParams({
    client_id: client.client_id, redirect_uri: back, response_type: 'code', scope: 'openid profile email', state: 'state-1',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256', ...more,
  });
  return { path: `/oauth/authorize?${q}`, verifier };
}

async function redeem(client, { verifier }, code) {
  const answer = await fetch(`${server.https}/oauth/token`, {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'authorization_code', code, redirect_uri: back, client_id: client.client_id, client_secret: client.client_secret, code_verifier: verifier }),
  });
  const tokens = await answer.json();
  assert.equal(answer.status, 200, JSON.stringify(tokens));
  return JSON.parse(Buffer.from(tokens.id_token.split('.')[1], 'base64url'));
}

suite('applications', () => {
  test('somebody signs in for an application, is asked what it may, denies and allows', async () => {
    const b = await open({ name: 'consent' });
    const { page } = b;
    try {
      const person = await invited();
      const client = await application({ third_party: true });
      await signUp(person, b);
      await b.go('/sign-out');
      await b.press('button[value=yes]');

      const denied = authorize(client, { organization: person.organization.id, login_hint: person.to });
      await b.go(denied.path);
      await page.fill('#password', password);
      await b.submit();
      await page.getByText('Acme Reports').waitFor();
      await b.look('consent');
      const shown = await page.innerText('#content');
      for (const what of ['Acme Reports', person.to, person.name, 'See your name', 'See your email address']) assert.ok(shown.includes(what), `${what} is not on the page: ${shown}`);
      await b.press('button[value=no]');
      await page.waitForURL('**/callback?**');
      assert.equal(new URL(page.url()).searchParams.get('error'), 'access_denied');
      assert.equal(new URL(page.url()).searchParams.get('state'), 'state-1');

      const allowed = authorize(client, { organization: person.organization.id });
      await b.go(allowed.path);
      await page.getByText('Acme Reports').waitFor();
      await b.press('button[value=yes]');
      await page.waitForURL('**/home?**');
      const came = new URL(page.url()).searchParams;
      const said = await redeem(client, allowed, came.get('code'));
      assert.equal(said.email, person.to);
      assert.deepEqual(b.violations, []);

      await b.go(authorize(client, { organization: person.organization.id }).path); // is remembered
      await page.waitForURL('**/home?**');
      await b.go(authorize(client, { prompt: 'none', scope: 'openid phone' }).path);
      await page.waitForURL('**/callback?**');
      assert.match(new URL(page.url()).searchParams.get('error'), /consent_required|interaction_required/);

      await b.go(authorize(client, { prompt: 'select_account', organization: person.organization.id }).path);
      await b.look('select-account');
      await b.press('button[value=yes]');
      await page.waitForURL('**/home?**');
      await b.go(authorize(client, { prompt: 'select_account', organization: person.organization.id }).path);
      await b.press('button[value=no]');
      await b.look('another-account'); // of which nobody is proven

      await b.go('/account');
      await b.look('account-applications');
      await page.getByRole('button', { name: 'Revoke access: Acme Reports' }).click();
      await page.getByText('Applications with access').waitFor({ state: 'detached' });
      await b.go(authorize(client, { organization: person.organization.id }).path);
      await page.locator('button[value=yes]').waitFor(); // is asked again
    } finally {
      await b.close();
    }
  });

  test('somebody connects a device, or does not', async () => {
    const b = await open({ name: 'device' });
    const { page } = b;
    try {
      const person = await invited();
      const known = await (await fetch(`${server.https}/.well-known/openid-configuration`)).json();
      const client = await application({ kind: 'native', redirect_uris: [], grant_types: ['urn:ietf:params:oauth:grant-type:device_code'] });
      const begin = async (of = client) => (await fetch(known.device_authorization_endpoint, { method: 'POST', body: new URLSearchParams({ client_id: of.client_id, scope: 'openid email' }) })).json();
      const poll = async (d, of = client) => (await fetch(known.token_endpoint, { method: 'POST', body: new URLSearchParams({ grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code: d.device_code, client_id: of.client_id }) })).json();
      await signUp(person, b);

      const first = await begin();
      const complete = new URL(first.verification_uri_complete);
      await b.go(complete.pathname + complete.search);
      assert.equal(await page.inputValue('#user_code'), first.user_code);
      assert.equal((await poll(first)).error, 'authorization_pending');
      await page.fill('#user_code', 'BBBB-BBBB');
      await b.submit();
      await page.getByRole('alert').waitFor();
      await b.look('device-wrong');
      await page.fill('#user_code', ` ${first.user_code.toLowerCase().replace('-', ' ')} `);
      await b.submit();
      await b.look('device-confirm');
      const shown = await page.innerText('#content');
      for (const what of ['Acme Reports', first.user_code.slice(0, 4), person.to]) assert.ok(shown.includes(what), `${what} is not on the page: ${shown}`);
      await b.press('button[value=yes]');
      await b.look('device-done');
      assert.ok((await poll(first)).access_token);

      const second = await begin();
      await b.go(`/device?user_code=${second.user_code}`);
      await b.submit();
      await b.press('button[value=no]');
      await b.look('device-denied');
      assert.equal((await poll(second)).error, 'access_denied');
      await b.go(`/device?user_code=${second.user_code}`); // is over
      await b.submit();
      await page.getByRole('alert').waitFor();

      const hasty = await application({ kind: 'native', redirect_uris: [], grant_types: ['urn:ietf:params:oauth:grant-type:device_code'], device_life: 1 });
      const late = await begin(hasty);
      assert.equal(late.expires_in, 1);
      await new Promise((done) => setTimeout(done, 1100));
      await b.go(`/device?user_code=${late.user_code}`);
      await b.submit();
      await page.getByRole('alert').waitFor();
      await b.look('device-expired');
      assert.match(await page.innerText('[role=alert]'), /too old/);
      assert.equal((await poll(late, hasty)).error, 'expired_token');
    } finally {
      await b.close();
    }
  });

  test('somebody of two organizations chooses one, and goes to the other without signing in again', async () => {
    const b = await open({ name: 'selection' });
    const { page } = b;
    try {
      const person = await invited();
      const client = await application();
      await signUp(person, b);
      const second = await api('POST', '/organizations', { name: unique('second') });
      const { items } = await api('GET', `/organizations/${person.organization.id}/members`);
      await api('POST', `/organizations/${second.id}/members`, { user: items[0].user?.id ?? items[0].user });
      const asked = authorize(client, { organization: second.id });
      await b.go(asked.path);
      await page.waitForURL('**/home?**');
      assert.equal((await redeem(client, asked, new URL(page.url()).searchParams.get('code'))).email, person.to);
      await b.go(authorize(client, { prompt: 'select_account' }).path);
      await b.look('select');
      await b.press(page.getByRole('button', { name: second.name }));
      await page.waitForURL('**/home?**');
      await b.go(authorize(client, { prompt: 'select_account' }).path);
      await b.press(page.getByRole('button', { name: 'Use another account' }));
      await page.locator('#identifier').waitFor();
      assert.deepEqual(b.violations, []);
    } finally {
      await b.close();
    }
  });
});

suite('accounts elsewhere', () => {
  test('somebody links an account at an identity provider, signs in with it, and disconnects it', async () => {
    const b = await open({ name: 'provider' });
    const { page } = b;
    let connection;
    try {
      // The other server is the identity provider: this one is its client.
      const client = await application({ redirect_uris: [`${server.https}/sign-in/callback`] }, other);
      const name = unique('elsewhere');
      connection = await api('POST', '/connections', { name, display_name: name, provider: 'oidc', issuer: other.http, client_id: client.client_id, client_secret: client.client_secret });
      const person = await invited();
      await signUp(person, b);
      const there = await api('POST', '/organizations', { name: unique('there') }, other);
      await api('POST', `/organizations/${there.id}/invitations`, { email: person.to, send_mail: true }, other);
      const at = link(await mail(person.to, /Join/, other), '/invitation');
      await page.goto(other.http + at.pathname + at.search);
      await b.submit();
      await b.press('button[value=email_otp]');
      await page.fill('#code', (await mail(person.to, /code/, other)).text.match(/\d{6}/)[0]);
      await b.submit();
      await page.fill('#name', 'Ada Elsewhere');
      await page.fill('#new-password', password);
      await b.submit();
      await page.waitForURL('**/account');

      await b.go('/sign-out');
      await b.press('button[value=yes]');
      await b.go('/sign-in');
      await b.look('providers');
      await b.press(page.getByRole('button', { name }));
      await page.waitForURL(`${server.https}/**`);
      await page.getByText('Connect').first().waitFor();
      await b.look('confirm-link');
      await b.press('button[value=no]');
      assert.match(page.url(), /\/sign-in/);
      await b.press(page.getByRole('button', { name }));
      await page.waitForURL(`${server.https}/**`);
      await page.getByText('Connect').first().waitFor();
      await b.press('button[value=yes]');
      await page.waitForURL('**/account');
      await page.getByText('Connected accounts').waitFor();
      await b.look('connected');

      await b.go('/sign-out');
      await b.press('button[value=yes]');
      await b.go('/sign-in');
      await b.press(page.getByRole('button', { name }));
      await page.waitForURL(`${server.https}/account`); // asked no more
      await page.getByRole('button', { name: /^Disconnect/ }).click();
      await page.getByText('Connected accounts').waitFor({ state: 'detached' });
      await mail(person.to, /removed/);
      assert.deepEqual(b.violations, []);
    } finally {
      if (connection) await api('DELETE', `/connections/${connection.id}`);
      await b.close();
    }
  });
});
