// Foreign OpenID clients for Node, unmodified: openid-client, and the two generations of Auth.js.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { createRequire } from 'node:module';
import { suite, test } from 'node:test';
import { Auth, skipCSRFCheck } from '@auth/core';
import * as client from 'openid-client';
import { issuers, account, back, bye, jar, person, register } from './person.mjs';
import { server } from './guildhall.mjs';

/** Takes somebody through the pages and exchanges the code. */
async function signIn(config, who, parameters = {}) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const [expectedState, expectedNonce] = [client.randomState(), client.randomNonce()];
  const to = await who.visit(client.buildAuthorizationUrl(config, {
    redirect_uri: back, scope: 'openid profile email offline_access', state: expectedState, nonce: expectedNonce,
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier), code_challenge_method: 'S256', ...parameters,
  }).href);
  assert.ok(to.href.startsWith(back), to.href);
  return client.authorizationCodeGrant(config, to, { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true });
}

suite('openid-client', () => {
  for (const issuer of issuers) {
    test(`signs in, refreshes, asks, revokes and signs out at ${new URL(issuer).hostname}${new URL(issuer).pathname}`, async () => {
      const [app, user] = [await register(), await account()];
      const config = await client.discovery(new URL(issuer), app.client_id, app.client_secret);
      assert.equal(config.serverMetadata().issuer, issuer);
      const who = person(user);
      const tokens = await signIn(config, who);
      assert.equal(tokens.claims().email, user.email);
      const info = await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub);
      assert.equal(info.name, 'Ada Lovelace');

      const fresh = await client.refreshTokenGrant(config, tokens.refresh_token);
      assert.notEqual(fresh.refresh_token, tokens.refresh_token);
      assert.equal(fresh.claims().sub, user.id);
      assert.equal((await client.tokenIntrospection(config, fresh.access_token)).active, true);
      await client.tokenRevocation(config, fresh.refresh_token);
      assert.equal((await client.tokenIntrospection(config, fresh.access_token)).active, false);
      await assert.rejects(client.refreshTokenGrant(config, fresh.refresh_token), { error: 'invalid_grant' });

      const out = await who.visit(client.buildEndSessionUrl(config, { id_token_hint: tokens.id_token, post_logout_redirect_uri: bye, state: 's' }).href);
      assert.equal(out.href, `${bye}?state=s`);
      await assert.rejects(signIn(config, who, { prompt: 'none' }), { error: 'login_required' });
    });
  }

  test('sends requests ahead and proves itself with a key', async () => {
    for (const [kind, options] of [['ec', { namedCurve: 'P-256' }], ['rsa', { modulusLength: 2048 }]]) {
      const { publicKey, privateKey } = generateKeyPairSync(kind, options);
      const algorithm = kind === 'ec' ? { name: 'ECDSA', namedCurve: 'P-256' } : { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
      const jwks = JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'one', use: 'sig' }] });
      const app = await register({ auth_method: 'private_key_jwt', jwks, pushed_only: true });
      const key = await crypto.subtle.importKey('pkcs8', privateKey.export({ format: 'der', type: 'pkcs8' }), algorithm, false, ['sign']);
      for (const issuer of issuers) {
        const config = await client.discovery(new URL(issuer), app.client_id, undefined, client.PrivateKeyJwt({ key, kid: 'one' }));
        const who = person(await account());
        const pkceCodeVerifier = client.randomPKCECodeVerifier();
        const at = await client.buildAuthorizationUrlWithPAR(config, {
          redirect_uri: back, scope: 'openid', code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier), code_challenge_method: 'S256',
        });
        const tokens = await client.authorizationCodeGrant(config, await who.visit(at.href), { pkceCodeVerifier });
        assert.equal(tokens.claims().iss, issuer);
      }
    }
  });

  test('waits for a device, and gets tokens of its own', async () => {
    await Promise.all(issuers.map(async (issuer) => {
      const device = await register({ kind: 'native', redirect_uris: ['http://127.0.0.1/back'] });
      const user = await account();
      const config = await client.discovery(new URL(issuer), device.client_id, undefined, client.None());
      const asked = await client.initiateDeviceAuthorization(config, { scope: 'openid email' });
      const who = person(user, { '/device': ['user_code', asked.user_code], '/device/decide': ['answer', 'yes'] });
      const [tokens, at] = await Promise.all([client.pollDeviceAuthorizationGrant(config, asked), who.visit(asked.verification_uri_complete)]);
      assert.equal(at.search, '?done=yes');
      assert.equal(tokens.claims().email, user.email);

      const robot = await register({ kind: 'machine', redirect_uris: [], logout_uris: [] }, { scopes: ['read:things'], audiences: ['https://api.example.com'] });
      const machine = await client.discovery(new URL(issuer), robot.client_id, robot.client_secret);
      const own = await client.clientCredentialsGrant(machine, { scope: 'read:things', resource: 'https://api.example.com' });
      assert.equal((await client.tokenIntrospection(machine, own.access_token)).aud, 'https://api.example.com');
    }));
  });
});

/** What the documentation of Auth.js tells to do for refreshing: its own code keeps the tokens and asks for new ones. */
const keeping = {
  jwt: ({ token, account: given }) => (given ? { ...token, refresh_token: given.refresh_token, id_token: given.id_token } : token),
  session: ({ session, token }) => ({ ...session, id_token: token.id_token, refresh_token: token.refresh_token }),
};

/** Goes on as such applications do: refreshes and signs out with what the session keeps. */
async function goOn(issuer, app, who, session) {
  const config = await client.discovery(new URL(issuer), app.client_id, app.client_secret);
  const fresh = await client.refreshTokenGrant(config, session.refresh_token);
  assert.notEqual(fresh.refresh_token, session.refresh_token);
  const out = await who.visit(client.buildEndSessionUrl(config, { id_token_hint: fresh.id_token, post_logout_redirect_uri: bye }).href);
  assert.equal(out.href, bye);
}

const host = 'http://localhost:3000';
const scope = 'openid profile email offline_access';

suite('@auth/core', () => {
  for (const issuer of issuers) {
    test(`signs in at ${new URL(issuer).hostname}${new URL(issuer).pathname}`, async () => {
      const [app, user] = [await register({ redirect_uris: [`${host}/auth/callback/guildhall`] }), await account()];
      const cookies = jar();
      const call = async (path, init = {}) => {
        const answer = await Auth(new Request(`${host}/auth${path}`, { ...init, headers: { cookie: cookies.header(), ...init.headers } }), {
          basePath: '/auth', trustHost: true, secret: 'a secret of the application that is long enough', skipCSRFCheck, callbacks: keeping,
          logger: { error: (e) => { throw e; }, warn() {}, debug() {} },
          providers: [{ id: 'guildhall', name: 'Guildhall', type: 'oidc', issuer, clientId: app.client_id, clientSecret: app.client_secret, checks: ['pkce', 'state', 'nonce'], authorization: { params: { scope } } }],
        });
        cookies.keep(answer.headers.getSetCookie());
        return answer;
      };
      const begun = await call('/signin/guildhall', { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: 'callbackUrl=/' });
      const who = person(user);
      const to = await who.visit(begun.headers.get('location'));
      assert.equal(to.origin + to.pathname, `${host}/auth/callback/guildhall`);
      const done = await call(`/callback/guildhall${to.search}`);
      assert.equal(done.headers.get('location'), `${host}/`);
      const session = await (await call('/session')).json();
      assert.equal(session.user.email, user.email);
      await goOn(issuer, app, who, session);
    });
  }
});

suite('next-auth', () => {
  const NextAuth = createRequire(import.meta.url)('next-auth').default;
  for (const issuer of issuers) {
    test(`signs in at ${new URL(issuer).hostname}${new URL(issuer).pathname}`, async () => {
      process.env.NEXTAUTH_URL = host;
      const [app, user] = [await register({ redirect_uris: [`${host}/api/auth/callback/guildhall`] }), await account()];
      const cookies = jar();
      const options = {
        secret: 'a secret of the application that is long enough', callbacks: keeping, logger: { error: (code, e) => { throw e.error ?? e; }, warn() {}, debug() {} },
        providers: [{
          id: 'guildhall', name: 'Guildhall', type: 'oauth', wellKnown: `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, clientId: app.client_id,
          clientSecret: app.client_secret, idToken: true, checks: ['pkce', 'state', 'nonce'], authorization: { params: { scope } },
          profile: ({ sub, name, email }) => ({ id: sub, name, email }),
        }],
      };
      // The handler of an API route, which asks of the framework only what is here.
      const call = async (method, path, { query = {}, body = {} } = {}) => {
        const answer = { status: 200, headers: {} };
        const response = {
          getHeader: (name) => answer.headers[name.toLowerCase()], setHeader: (name, value) => { answer.headers[name.toLowerCase()] = value; },
          status(code) { answer.status = code; return response; }, json(value) { answer.body = value; }, send(value) { answer.body = value; }, end() {},
          redirect(code, to) { answer.status = code; answer.headers.location = to; },
        };
        await NextAuth({ method, query: { nextauth: path.split('/'), ...query }, body, headers: { host: 'localhost:3000' }, cookies: Object.fromEntries([...cookies.cookies].map(([k, v]) => [k, decodeURIComponent(v)])) }, response, options);
        cookies.keep([answer.headers['set-cookie'] ?? []].flat());
        return answer;
      };
      const { csrfToken } = (await call('GET', 'csrf')).body;
      const begun = await call('POST', 'signin/guildhall', { body: { csrfToken, callbackUrl: host } });
      const who = person(user);
      const to = await who.visit(begun.headers.location ?? begun.body.url);
      assert.equal(to.origin + to.pathname, `${host}/api/auth/callback/guildhall`);
      await call('GET', 'callback/guildhall', { query: Object.fromEntries(to.searchParams) });
      const session = (await call('GET', 'session')).body;
      assert.equal(session.user.email, user.email);
      await goOn(issuer, app, who, session);
    });
  }
});
