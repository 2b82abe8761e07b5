// A single-page application made of oidc-client-ts, unmodified, in a headless Chromium: everything it does with the
// provider comes from its own origin.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { suite, test } from 'node:test';
import { open } from './browser.mjs';
import { account, issuers, password, register } from './person.mjs';

const library = readFileSync(createRequire(import.meta.url).resolve('oidc-client-ts').replace(/dist\/.*/, 'dist/browser/oidc-client-ts.min.js'));

/** Serves the application, whose one page is also where people are sent back to. */
async function serve() {
  const listening = createServer((request, response) => {
    const script = request.url === '/oidc-client-ts.js';
    response.setHeader('content-type', script ? 'text/javascript' : 'text/html');
    // In the frame for signing in silently the page tells the one around it what came back.
    const page = '<!doctype html><title>Shop</title><script src="/oidc-client-ts.js"></script>';
    response.end(script ? library : request.url.startsWith('/silent?') ? `${page}<script>new oidc.UserManager({}).signinSilentCallback()</script>` : page);
  });
  await new Promise((done) => listening.listen(0, '127.0.0.1', done));
  return { origin: `http://localhost:${listening.address().port}`, close: () => listening.close() };
}

/** Makes a manager in the page and lets it do something. */
const manager = (page, settings, what) => page.evaluate(async ([settings, what]) => {
  const m = new window.oidc.UserManager({ ...settings, userStore: new window.oidc.WebStorageStateStore({ store: window.localStorage }) });
  const shown = (u) => u && { claims: u.profile, refresh: u.refresh_token ?? '', access: u.access_token, scope: u.scope };
  return { begin: () => { setTimeout(() => m.signinRedirect()); }, back: async () => shown(await m.signinCallback()), renew: async () => shown(await m.signinSilent()), leave: () => { setTimeout(() => m.signoutRedirect()); } }[what]();
}, [settings, what]);

suite('oidc-client-ts in a browser', () => {
  for (const issuer of issuers) {
    test(`signs in, renews, and signs out at ${new URL(issuer).hostname}${new URL(issuer).pathname}`, async () => {
      const [site, b] = [await serve(), await open()];
      const { page } = b;
      await b.context.setExtraHTTPHeaders({}); // which no script of another origin may send
      try {
        const app = await register({ kind: 'browser', redirect_uris: [`${site.origin}/back`, `${site.origin}/silent`], logout_uris: [`${site.origin}/bye`], web_origins: [site.origin] });
        const user = await account();
        const settings = {
          authority: issuer, client_id: app.client_id, redirect_uri: `${site.origin}/back`, post_logout_redirect_uri: `${site.origin}/bye`,
          scope: 'openid profile email offline_access', loadUserInfo: true, automaticSilentRenew: false,
        };
        const signIn = async (what, fill) => {
          await page.goto(site.origin);
          await Promise.all([page.waitForURL(fill ? '**/sign-in' : `${site.origin}/back?**`), manager(page, what, 'begin')]);
          if (fill) {
            await page.fill('#identifier', user.email);
            await b.submit();
            await page.fill('#password', password);
            await b.press('#content button.primary');
            await page.waitForURL(`${site.origin}/back?**`);
          }
          return manager(page, what, 'back');
        };
        const first = await signIn(settings, true);
        assert.equal(first.claims.email, user.email);
        const renewed = await manager(page, settings, 'renew');
        assert.notEqual(renewed.refresh, first.refresh, 'the refresh token was not rotated');
        assert.equal(renewed.claims.sub, user.id);

        const short = { ...settings, scope: 'openid email', silent_redirect_uri: `${site.origin}/silent` };
        await page.evaluate(() => window.localStorage.clear());
        const again = await signIn(short, false); // the session at the provider is there
        assert.equal(again.refresh, '');
        // A page without TLS is of another site, in whose frames nobody is signed in.
        await assert.rejects(manager(page, short, 'renew'), /the person has to sign in/);
        await Promise.all([page.waitForURL(`${site.origin}/bye`), manager(page, settings, 'leave')]);
        await page.goto(site.origin);
        await Promise.all([page.waitForURL(`${site.origin}/back?**`), manager(page, { ...settings, prompt: 'none' }, 'begin')]);
        assert.match(page.url(), /error=login_required/);
        assert.deepEqual(b.violations, []);
      } finally {
        await b.close();
        site.close();
      }
    });
  }
});
