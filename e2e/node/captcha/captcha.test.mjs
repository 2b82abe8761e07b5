// A captcha service on the pages: its part that runs in browsers is played, its verifier is a server.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { makeSuspicious, network, open } from '../browser.mjs';
import { identify, invited, password, signOut, signUp } from '../people.mjs';

suite('captcha', () => {
  test('is asked of the suspicious alone, and its answer is verified', async () => {
    const from = network();
    const b = await open({ name: 'captcha', from });
    const { page } = b;
    let answer = 'a robot';
    await b.context.route('https://challenges.cloudflare.com/turnstile/v0/api.js', (route) => route.fulfill({
      contentType: 'text/javascript',
      body: `const at = document.querySelector('.cf-turnstile'); const i = document.createElement('input'); i.type = 'hidden'; i.name = 'cf-turnstile-response'; i.value = ${JSON.stringify(answer)}; at.append(i); at.dataset.ready = at.dataset.sitekey;`,
    }));
    try {
      const person = await invited();
      await signUp(person, b);
      await signOut(b);
      const plain = await b.go('/reset');
      assert.doesNotMatch(plain.headers()['content-security-policy'], /cloudflare/);
      await makeSuspicious(from);
      const asked = await b.go('/reset');
      assert.match(asked.headers()['content-security-policy'], /script-src 'self' https:\/\/challenges\.cloudflare\.com;.*frame-src https:\/\/challenges\.cloudflare\.com/);
      assert.doesNotMatch((await b.go('/sign-in')).headers()['content-security-policy'], /cloudflare/, 'a page without the captcha');

      await identify(b, person.to);
      await page.locator('.cf-turnstile[data-ready=the-site-key]').waitFor({ state: 'attached' });
      await page.fill('#password', password);
      await b.submit();
      await page.getByRole('alert').waitFor();
      assert.match(await page.innerText('[role=alert]'), /human/);
      await b.look('refused');
      answer = 'a human';
      await b.go('/sign-in');
      await page.locator('.cf-turnstile[data-ready=the-site-key]').waitFor({ state: 'attached' });
      await page.fill('#password', password);
      await b.submit();
      await page.waitForURL('**/account');
      assert.deepEqual(b.violations, []);
    } finally {
      await b.close();
    }
  });
});
