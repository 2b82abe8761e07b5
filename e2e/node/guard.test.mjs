// What suspicious visitors are asked for, and how a lock is lifted.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { api, link, mail, makeSuspicious, network, open } from './browser.mjs';
import { identify, invited, password, signOut, signUp } from './people.mjs';

suite('suspicious visitors', () => {
  test('solve a puzzle before a password is looked at and before a link is mailed', async () => {
    const from = network();
    const b = await open({ name: 'puzzle', from });
    const { page } = b;
    try {
      const person = await invited();
      await signUp(person, b);
      await signOut(b);
      await makeSuspicious(from);
      await identify(b, person.to);
      await page.locator('input[name=work]').waitFor({ state: 'attached' });
      const puzzle = JSON.parse(await page.getAttribute('input[name=work]', 'data-puzzle'));
      assert.match(puzzle.challenge, /^[0-9a-f]{64}$/);
      await b.look('password-puzzle');
      await page.fill('#password', 'wrong');
      await b.submit(); // at once: it is sent when the puzzle is solved
      await page.getByRole('alert').waitFor();
      assert.doesNotMatch(await page.innerText('[role=alert]'), /human/);
      assert.notEqual(JSON.parse(await page.getAttribute('input[name=work]', 'data-puzzle')).salt, puzzle.salt);
      await page.waitForFunction(() => document.querySelector('input[name=work]').value);
      await page.fill('#password', password);
      await b.submit();
      await page.waitForURL('**/account');
      await signOut(b);

      await b.go('/reset');
      await page.fill('#identifier', person.to);
      await page.waitForFunction(() => document.querySelector('input[name=work]').value);
      await b.look('reset-puzzle');
      const work = await page.inputValue('input[name=work]');
      await b.submit();
      await mail(person.to, /Reset/);

      // Once is once, and nothing is not enough.
      for (const used of [work, '', 'x.1.y']) {
        await b.go('/reset');
        await page.evaluate((value) => {
          const f = document.querySelector('#identifier').form;
          const copy = f.cloneNode(true);
          f.replaceWith(copy);
          copy.elements.namedItem('work').value = value;
        }, used);
        await page.fill('#identifier', person.to);
        await b.submit();
        await page.getByRole('alert').waitFor();
        assert.match(await page.innerText('[role=alert]'), /human/, `with ${used}`);
      }
      await b.look('reset-refused');
      assert.deepEqual(b.violations, []);
    } finally {
      await b.close();
    }
  });

  test('without scripts are told so, and sign in with a code by mail', async () => {
    const from = network();
    const b = await open({ javaScriptEnabled: false, from, name: 'puzzle-without-scripts' });
    try {
      const person = await invited();
      await signUp(person, b);
      await signOut(b);
      await makeSuspicious(from);
      await b.go('/reset');
      await b.page.getByText('Switch scripts on').waitFor();
      await b.page.fill('#identifier', person.to);
      await b.submit();
      assert.match(await b.page.innerText('[role=alert]'), /human/);
      await identify(b, person.to);
      await b.page.getByText('Switch scripts on').waitFor();
      await b.look('password');
      await b.go('/sign-in?method=other');
      await b.press('button[value=email_otp]');
      const sent = await mail(person.to, /code/);
      await b.page.fill('#code', sent.text.match(/\d{6}/)[0]);
      await b.submit();
      await b.page.waitForURL('**/account');
    } finally {
      await b.close();
    }
  });
});

suite('magic links', () => {
  test('carry a code for the browser that asked, and nothing for any other', async () => {
    const b = await open({ name: 'magic-code' });
    const elsewhere = await open();
    try {
      const person = await invited();
      await signUp(person, b);
      await signOut(b);
      await identify(b, person.to);
      await b.go('/sign-in?method=other');
      await b.press('button[value=magic_link]');
      const sent = await mail(person.to, /Sign in to/);
      const code = sent.text.match(/\b\d{6}\b/)[0];
      const at = link(sent, '/sign-in/link');
      await elsewhere.go(at.pathname + at.search); // on the phone where the mail is read
      assert.match(await elsewhere.page.innerText('#content'), /enter there the code from the message/);
      await elsewhere.look('link-elsewhere');
      await b.page.fill('#code', code === '000000' ? '000001' : '000000');
      await b.submit();
      await b.page.getByRole('alert').waitFor();
      await b.page.fill('#code', `${code.slice(0, 3)} ${code.slice(3)}`);
      await b.submit();
      await b.page.waitForURL('**/account');
      await b.go(at.pathname + at.search); // was the same challenge, and is used up
      assert.doesNotMatch(await b.page.innerText('#content'), /^Sign in$/m);
    } finally {
      await b.close();
      await elsewhere.close();
    }
  });
});

suite('locked accounts', () => {
  test('are unlocked by a button on the page behind the link in the mail', async () => {
    const b = await open({ name: 'unlock', locale: 'de' });
    try {
      const person = await invited();
      await b.go('/unlock?token=x');
      await b.look('unlock');
      await b.press('button[value=yes]');
      await b.look('unlock-wrong');
      assert.match(await b.page.innerText('#content'), /gilt nicht mehr/);
      assert.equal((await api('POST', '/lockouts/look', { account: person.to })).guesses, 0);
    } finally {
      await b.close();
    }
  });
});
