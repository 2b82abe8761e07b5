// The pages with scripts switched off: everything but passkeys works, and where they are wanted the page says so.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { suite, test } from 'node:test';
import { api, link, mail, open } from './browser.mjs';
import { server } from './guildhall.mjs';
import { identify, invited, password, signOut, signUp } from './people.mjs';

suite('hosted pages without scripts', () => {
  test('accept an invitation, sign in by each way, consent, connect a device, sign out', async () => {
    const b = await open({ name: 'plain', javaScriptEnabled: false });
    const { page } = b;
    const site = createServer((_, answer) => answer.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>Back</title>'));
    try {
      const person = await invited();
      await signUp(person, b);

      await b.go('/account/passkeys/new');
      await page.getByText('This browser cannot use passkeys, or scripts are switched off in it.').waitFor();
      await b.look('passkey-new');
      await signOut(b);

      await b.go('/sign-in');
      assert.equal(await page.getByRole('button', { name: 'Sign in with a passkey' }).count(), 0, 'what needs scripts is offered');
      await identify(b, person.to);
      await b.look('password');
      await page.fill('#password', password);
      await b.submit();
      assert.match(page.url(), /\/account$/);
      await signOut(b);

      await identify(b, person.to);
      await b.go('/sign-in?method=other');
      await b.press('button[value=passkey]');
      await page.getByText('scripts are switched off').waitFor();
      await b.look('passkey');
      await b.go('/sign-in?method=other');
      await b.press('button[value=email_otp]');
      await page.fill('#code', (await mail(person.to, /code/)).text.match(/\b\d{6}\b/)[0]);
      await b.submit();
      assert.match(page.url(), /\/account$/);
      await signOut(b);

      await identify(b, person.to);
      await b.go('/sign-in?method=other');
      await b.press('button[value=magic_link]');
      const at = link(await mail(person.to, /Sign in to/), '/sign-in/link');
      await b.go(at.pathname + at.search);
      await b.submit();
      assert.match(page.url(), /\/account$/);

      await new Promise((done) => site.listen(0, '127.0.0.1', done));
      const back = `http://127.0.0.1:${site.address().port}/back`;
      const web = await api('POST', '/applications', { name: 'Acme Reports', sign_in: { kind: 'web', redirect_uris: [back], third_party: true } });
      await b.go(`/oauth/authorize?${new URLSearchParams({
        client_id: web.client_id, redirect_uri: back, response_type: 'code', scope: 'openid', state: 's', code_challenge_method: 'S256',
        code_challenge: createHash('sha256').update('v'.repeat(50)).digest('base64url'),
      })}`);
      await b.look('consent');
      await b.press('button[value=yes]');
      await page.waitForURL(`${back}?**`);
      assert.ok(new URL(page.url()).searchParams.get('code'));

      const device = 'urn:ietf:params:oauth:grant-type:device_code';
      const native = await api('POST', '/applications', { name: 'Acme TV', sign_in: { kind: 'native', grant_types: [device] } });
      const known = await (await fetch(`${server.https}/.well-known/openid-configuration`)).json();
      const ask = async (endpoint, form) => (await fetch(endpoint, { method: 'POST', body: new URLSearchParams({ client_id: native.client_id, ...form }) })).json();
      const begun = await ask(known.device_authorization_endpoint, { scope: 'openid' });
      await b.go('/device');
      await page.fill('#user_code', begun.user_code);
      await b.submit();
      await b.press('button[value=yes]');
      await page.getByText('Device connected').waitFor();
      assert.ok((await ask(known.token_endpoint, { grant_type: device, device_code: begun.device_code })).access_token);

      await b.go('/account');
      await b.look('account');
      await b.press(page.getByRole('button', { name: 'Revoke access: Acme Reports' })); // a page anew, where a script would replace a part
      assert.equal(await page.getByText('Revoke access: Acme Reports').count(), 0);
      await b.press('form[action="/account/totp"] button');
      await b.look('totp');
      await signOut(b);
      await b.go('/account');
      assert.match(page.url(), /\/sign-in/);
      assert.deepEqual(b.violations, []);
    } finally {
      await b.close();
      site.close();
    }
  });
});
