// Foreign OpenID clients for Node, unmodified: openid-client, and the two generations of Auth.js.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
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

/** The callbacks that the documentation of Auth.js tells to write: they keep the tokens, and renew them when they have expired. */
const keeping = (config, app, ended) => ({
  callbacks: {
    async jwt({ token, account: given }) {
      if (given) return { ...token, access_token: given.access_token, expires_at: given.expires_at, refresh_token: given.refresh_token, id_token: given.id_token };
      if (Date.now() < token.expires_at * 1000) return token;
      const answer = await fetch(config.serverMetadata().token_endpoint, {
        method: 'POST', body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: token.refresh_token, client_id: app.client_id, client_secret: app.client_secret }),
      });
      const fresh = await answer.json();
      if (!answer.ok) return { ...token, error: fresh.error };
      return { ...token, ...fresh, expires_at: Math.floor(Date.now() / 1000) + fresh.expires_in };
    },
    session: ({ session, token }) => ({ ...session, access_token: token.access_token, error: token.error }),
  },
  events: { signOut: ({ token }) => { ended.id_token = token.id_token; } },
});

const claimsOf = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));

/** Goes on as such an application does: lets its session renew the tokens, and signs out of it and of the provider. */
async function goOn({ config, user, who, ended }, first, session, signOut) {
  await new Promise((done) => setTimeout(done, 1100)); // its access tokens last a second
  const second = await session();
  assert.equal(second.error, undefined);
  assert.notEqual(second.access_token, first.access_token, 'nothing was renewed');
  assert.equal(claimsOf(second.access_token).sub, user.id);
  await signOut();
  assert.equal((await session())?.user, undefined, 'the application has a session still');
  assert.equal(claimsOf(ended.id_token).sub, user.id);
  const out = await who.visit(client.buildEndSessionUrl(config, { id_token_hint: ended.id_token, post_logout_redirect_uri: bye }).href);
  assert.equal(out.href, bye);
  await assert.rejects(signIn(config, who, { prompt: 'none' }), { error: 'login_required' });
}

/** What a test of Auth.js begins with. */
async function begin(issuer, callback) {
  const [app, user] = [await register({ redirect_uris: [callback, back], access_life: 1 }), await account()];
  const config = await client.discovery(new URL(issuer), app.client_id, app.client_secret);
  return { app, user, config, who: person(user), cookies: jar(), ended: {} };
}

const host = 'http://localhost:3000';
const scope = 'openid profile email offline_access';
const secret = 'a secret of the application that is long enough';
const form = { 'content-type': 'application/x-www-form-urlencoded' };

suite('@auth/core', () => {
  for (const issuer of issuers) {
    test(`signs in, renews and signs out at ${new URL(issuer).hostname}${new URL(issuer).pathname}`, async () => {
      const at = await begin(issuer, `${host}/auth/callback/guildhall`);
      const { app, user, who, cookies } = at;
      const call = async (path, init = {}) => {
        const answer = await Auth(new Request(`${host}/auth${path}`, { ...init, headers: { cookie: cookies.header(), ...init.headers } }), {
          basePath: '/auth', trustHost: true, secret, skipCSRFCheck, ...keeping(at.config, app, at.ended),
          logger: { error: (e) => { throw e; }, warn() {}, debug() {} },
          providers: [{ id: 'guildhall', name: 'Guildhall', type: 'oidc', issuer, clientId: app.client_id, clientSecret: app.client_secret, checks: ['pkce', 'state', 'nonce'], authorization: { params: { scope } } }],
        });
        cookies.keep(answer.headers.getSetCookie());
        return answer;
      };
      const session = async () => (await call('/session')).json();
      const begun = await call('/signin/guildhall', { method: 'POST', headers: form, body: 'callbackUrl=/' });
      const to = await who.visit(begun.headers.get('location'));
      assert.equal(to.origin + to.pathname, `${host}/auth/callback/guildhall`);
      const done = await call(`/callback/guildhall${to.search}`);
      assert.equal(done.headers.get('location'), `${host}/`);
      const first = await session();
      assert.equal(first.user.email, user.email);
      await goOn(at, first, session, () => call('/signout', { method: 'POST', headers: form, body: 'callbackUrl=/' }));
    });
  }
});

/** Serves the handler of next-auth's API route, with what its framework adds to requests and answers. */
async function serveNext(NextAuth, options) {
  const listening = createServer(async (request, response) => {
    const at = new URL(request.url, 'http://localhost');
    let body = '';
    for await (const part of request) body += part;
    Object.assign(request, {
      query: { ...Object.fromEntries(at.searchParams), nextauth: at.pathname.replace('/api/auth/', '').split('/') },
      body: Object.fromEntries(new URLSearchParams(body)),
      cookies: Object.fromEntries((request.headers.cookie ?? '').split('; ').filter(Boolean).map((c) => [c.slice(0, c.indexOf('=')), decodeURIComponent(c.slice(c.indexOf('=') + 1))])),
    });
    Object.assign(response, {
      status(code) { response.statusCode = code; return response; },
      json(value) { response.setHeader('content-type', 'application/json'); response.end(JSON.stringify(value)); },
      send(value) { response.end(typeof value === 'object' ? JSON.stringify(value) : value); },
      redirect(code, to) { response.writeHead(code, { location: to }).end(); },
    });
    await NextAuth(request, response, options()).catch((e) => response.writeHead(500).end(String(e.stack)));
  });
  await new Promise((done) => listening.listen(0, '127.0.0.1', done));
  return { url: `http://localhost:${listening.address().port}`, reach: `http://127.0.0.1:${listening.address().port}`, close: () => listening.close() };
}

suite('next-auth', () => {
  const NextAuth = createRequire(import.meta.url)('next-auth').default;
  for (const issuer of issuers) {
    test(`signs in, renews and signs out at ${new URL(issuer).hostname}${new URL(issuer).pathname}`, async () => {
      let options;
      const site = await serveNext(NextAuth, () => options);
      try {
        process.env.NEXTAUTH_URL = site.url;
        const at = await begin(issuer, `${site.url}/api/auth/callback/guildhall`);
        const { app, user, who, cookies } = at;
        options = {
          secret, ...keeping(at.config, app, at.ended), logger: { error: (code, e) => { throw e.error ?? e; }, warn() {}, debug() {} },
          providers: [{
            id: 'guildhall', name: 'Guildhall', type: 'oauth', wellKnown: `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, clientId: app.client_id,
            clientSecret: app.client_secret, idToken: true, checks: ['pkce', 'state', 'nonce'], authorization: { params: { scope } },
            profile: ({ sub, name, email }) => ({ id: sub, name, email }),
          }],
        };
        const call = async (path, body) => {
          const answer = await fetch(`${site.reach}/api/auth/${path}`, {
            method: body ? 'POST' : 'GET', redirect: 'manual', headers: { cookie: cookies.header(), ...(body && form) }, body: body && new URLSearchParams(body),
          });
          cookies.keep(answer.headers.getSetCookie());
          assert.ok(answer.status < 400, `${path}: ${answer.status} ${answer.status < 400 ? '' : await answer.text()}`);
          return answer;
        };
        const session = async () => (await call('session')).json();
        const { csrfToken } = await (await call('csrf')).json();
        const begun = await call('signin/guildhall', { csrfToken, callbackUrl: site.url });
        const to = await who.visit(begun.headers.get('location'));
        assert.equal(to.origin + to.pathname, `${site.url}/api/auth/callback/guildhall`);
        await call(`callback/guildhall${to.search}`);
        const first = await session();
        assert.equal(first.user.email, user.email);
        await goOn(at, first, session, () => call('signout', { csrfToken, callbackUrl: site.url }));
      } finally {
        site.close();
      }
    });
  }
});
