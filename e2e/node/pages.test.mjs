// The hosted pages in a headless Chromium: everything that people do on them, on a phone and on a desk.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { api, link, mail, now, open, totp } from './browser.mjs';
import { server, unique } from './guildhall.mjs';
import { identify, invited, password, signOut, signUp } from './people.mjs';

suite('hosted pages', () => {
  test('sign up by invitation, add a passkey and an app, sign in by each, reset the password, be refused after deletion', async () => {
    const b = await open({ name: 'tour' });
    const { page } = b;
    try {
      const person = await invited();
      await signUp(person, b);

      await b.press(page.getByRole('link', { name: 'Add a passkey' }));
      await b.look('passkey-new');
      await b.touch(true);
      await b.submit();
      await page.waitForURL('**/account');
      await b.touch(false);
      await page.getByText('My passkey').waitFor();
      await b.look('account-passkey');
      await b.press(page.getByRole('link', { name: 'Rename: My passkey' }));
      await b.look('rename');
      await page.fill('#name', 'Work laptop');
      await b.submit();
      await page.waitForURL('**/account');
      await page.getByRole('link', { name: 'Rename: Work laptop' }).waitFor();

      await b.press(page.getByRole('button', { name: 'Add an authenticator app' }));
      await b.look('totp');
      const uri = await page.inputValue('input[name=uri]');
      await page.fill('#code', '12');
      await b.submit();
      await page.getByRole('alert').waitFor();
      await b.look('totp-wrong');
      const step = now();
      await page.fill('#code', totp(uri, step));
      await b.submit();
      await b.look('codes');
      const recovery = await page.locator('#codes li').allInnerTexts();
      assert.equal(recovery.length, 10);
      await b.press('#content .primary');
      await b.look('account-full');

      await signOut(b);
      await b.go('/sign-in');
      await b.look('sign-in');
      await b.touch(true);
      await b.press('form[data-passkey] button');
      await page.waitForURL('**/account');
      await signOut(b);

      await identify(b, person.to);
      await b.look('password');
      await page.fill('#password', 'wrong');
      await b.submit();
      await page.getByRole('alert').waitFor();
      await b.look('password-wrong');
      await page.fill('#password', password);
      await b.submit();
      await b.look('second-step');
      await page.fill('#code', totp(uri, step)); // was used
      await b.submit();
      await page.getByRole('alert').waitFor();
      await page.fill('#code', totp(uri, step + 1));
      await b.submit();
      await page.waitForURL('**/account');
      await signOut(b);

      await b.go('/reset');
      await b.look('reset');
      await page.fill('#identifier', person.to);
      await b.submit();
      await b.look('reset-sent');
      const reset = link(await mail(person.to, /Reset/), '/reset');
      await b.go(reset.pathname + reset.search);
      await b.look('new-password');
      await page.fill('#new-password', 'password1');
      await b.submit();
      await page.getByRole('alert').waitFor();
      await page.fill('#new-password', 'entirely other words 77 lamp');
      await b.submit();
      await b.look('reset-done');
      await b.go(reset.pathname + reset.search);
      await page.fill('#new-password', 'and once more other words 12');
      await b.submit();
      await b.look('reset-used');
      assert.match(await page.innerText('#content'), /used already/);

      await identify(b, person.to);
      await b.go('/sign-in?method=other');
      await b.press('button[value=magic_link]');
      await b.look('link-sent');
      const magic = link(await mail(person.to, /Sign in to/), '/sign-in/link');
      const other = await open();
      await other.go(magic.pathname + magic.search);
      assert.match(await other.page.innerText('#content'), /not the browser/);
      await other.close();
      await b.go(magic.pathname + magic.search);
      await b.look('link');
      await b.submit();
      await b.go('/sign-in?method=recovery_code');
      await page.fill('#code', recovery[0]);
      await b.submit();
      await page.waitForURL('**/account');

      await b.go('/device');
      await b.look('device');
      await b.go('/account/nothing');
      await b.look('not-found');

      await b.go('/account');
      await api('DELETE', `/organizations/${person.organization.id}`);
      await page.reload();
      assert.match(page.url(), /\/sign-in/, 'the session of a deleted organization is alive');
      await identify(b, person.to, `?organization=${person.organization.id}`);
      assert.doesNotMatch(await page.content(), new RegExp(person.name + '<'), 'a deleted organization is offered');
      await b.look('deleted');
    } finally {
      await b.close();
    }
  });

  test('choose an organization, switch to another, and look after the account', async () => {
    const b = await open({ name: 'organizations' });
    const { page } = b;
    try {
      const person = await invited();
      await signUp(person, b);
      const second = await api('POST', '/organizations', { name: unique('second') });
      const { items } = await api('GET', `/organizations/${person.organization.id}/members`);
      await api('POST', `/organizations/${second.id}/members`, { user: items[0].user?.id ?? items[0].user });
      await signOut(b);
      await identify(b, person.to);
      await page.fill('#password', password);
      await b.submit();
      await b.look('choose');
      await b.press(page.getByRole('button', { name: second.name }));
      await page.waitForURL('**/account');
      await b.look('account-second');
      await b.press(page.getByRole('button', { name: new RegExp(`Switch: ${person.name}`) }));
      await page.waitForURL('**/account');
      assert.match(await page.title(), new RegExp(person.name));

      await b.press(page.getByRole('link', { name: 'Change password' }));
      await b.look('password-change');
      await page.fill('#current', password);
      await page.fill('#new-password', 'yet another set of words 41');
      await b.submit();
      await page.waitForURL('**/account');
      await b.go('/account');
      await b.press(page.getByRole('button', { name: '日本語' }));
      await b.look('account-ja');
      assert.equal(await page.getAttribute('html', 'lang'), 'ja');
    } finally {
      await b.close();
    }
  });
});

suite('hosted pages and strangers', () => {
  test('parameters of addresses never run, and lead nowhere else', async () => {
    const b = await open();
    try {
      const evil = encodeURIComponent('"><img src=x onerror=alert(1)><script>alert(1)</script>');
      const away = encodeURIComponent('javascript:alert(1)');
      b.page.on('dialog', () => assert.fail('a script ran'));
      for (const path of ['/sign-in', '/sign-up', '/reset', '/invitation', '/sign-out', '/sign-in/link', '/verify', '/sign-in/callback']) {
        for (const value of [evil, away, '//evil.example', 'https://evil.example']) {
          const names = ['login_hint', 'organization', 'return', 'token', 'ticket', 'method', 'state', 'user_code', 'post_logout_redirect_uri', 'ui_locales', 'lang'];
          for (const query of [names.map((n) => `${n}=${value}`).join('&'), `request=${value}`]) {
            const answer = await b.go(`${path}?${query}`);
            assert.ok(answer.status() < 500, `${path}?${query}: ${answer.status()}`);
            assert.equal(new URL(b.page.url()).origin, server.https);
          }
        }
      }
      assert.deepEqual(b.violations, []);
    } finally {
      await b.close();
    }
  });
});
