// Every way in and every change of an account that the other suites do not come to, each in a browser.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { api, link, lockOut, mail, makeSuspicious, network, now, open, totp } from './browser.mjs';
import { email, server, unique } from './guildhall.mjs';
import { identify, invited, password, signOut, signUp } from './people.mjs';

const realm = `/realms/${server.realm}`;

before(() => api('PATCH', realm, { sign_in: { methods: ['password', 'magic_link', 'email_otp', 'sms_otp', 'passkey'], sign_up: true } }));
after(() => api('PATCH', realm, { sign_in: { methods: null, sign_up: null } }));

/** Makes somebody with a password who is a member of a new organization. */
async function member(more = {}, rules = undefined) {
  const organization = await api('POST', '/organizations', { name: unique('ways') });
  if (rules) await api('PUT', `/organizations/${organization.id}/sign-in-rules`, rules);
  const to = email(unique('way'));
  const user = await api('POST', '/users', { email: to, email_verified: true, name: 'Ada Lovelace', password, ...more });
  await api('POST', `/organizations/${organization.id}/members`, { user: user.id });
  return { organization, user, to };
}

/** Opens a browser for a test, and closes it whatever happens. */
const inBrowser = (options, does) => async () => {
  const b = await open(options);
  try {
    await does(b, b.page);
    assert.deepEqual(b.violations, []);
  } finally {
    await b.close();
  }
};

async function withPassword(b, to, query = '') {
  await identify(b, to, query);
  await b.page.fill('#password', password);
  await b.submit();
}

const codeTo = async (to) => (await mail(to, /code|Sign in to/)).text.match(/\b\d{6}\b/)[0];
const solved = (page) => page.waitForFunction(() => document.querySelector('input[name=work]').value);

suite('signing up without an invitation', () => {
  test('takes work in a suspicious network, and then an address that is proven', inBrowser({ name: 'sign-up', from: network() }, async (b, page) => {
    await b.go('/sign-up');
    await b.look('sign-up');
    await makeSuspicious(b.from);
    await page.reload();
    await solved(page);
    await b.look('sign-up-puzzle');
    const to = email(unique('newcomer'));
    await page.fill('#identifier', to);
    await b.submit();
    await b.look('sign-up-code');
    await page.fill('#code', await codeTo(to));
    await b.submit();
    await page.fill('#name', 'Nora New');
    await page.fill('#new-password', password);
    await b.submit();
    await page.waitForURL('**/account');
    await page.getByRole('heading', { name: 'Nora New' }).waitFor();
    await b.look('account-without-organization');
  }));

  test('tells who has scripts switched off why it stops', inBrowser({ name: 'sign-up-without-scripts', javaScriptEnabled: false, from: network() }, async (b, page) => {
    await makeSuspicious(b.from);
    await b.go('/sign-up');
    await page.getByText('Switch scripts on').waitFor();
    await page.fill('#identifier', email(unique('newcomer')));
    await b.submit();
    assert.match(await page.innerText('[role=alert]'), /human/);
    await page.getByText('Switch scripts on').waitFor();
    await b.look('sign-up-refused');
  }));

  test('says that it is closed where it is', inBrowser({ name: 'sign-up-closed' }, async (b, page) => {
    await api('PATCH', realm, { sign_in: { sign_up: null } });
    try {
      await b.go('/sign-up');
      await page.getByText('Ask somebody to invite you').waitFor();
      await b.look('sign-up-closed');
    } finally {
      await api('PATCH', realm, { sign_in: { sign_up: true } });
    }
  }));
});

suite('ways in', () => {
  test('a code by text message', inBrowser({ name: 'text' }, async (b, page) => {
    const phone = `+1555${String(Date.now()).slice(-7)}`;
    const { to } = await member({ phone, phone_verified: true });
    await identify(b, phone);
    await b.go('/sign-in?method=other');
    await b.look('methods');
    await b.press('button[value=sms_otp]');
    await b.look('code');
    const code = (await mail(phone, /^$/)).text.match(/\d{6}/)[0];
    await page.fill('#code', code === '000000' ? '000001' : '000000');
    await b.submit();
    await page.getByRole('alert').waitFor();
    await b.look('code-wrong');
    await page.fill('#code', code);
    await b.submit();
    await page.waitForURL('**/account');
    await page.getByText(to).waitFor();
  }));

  test('a passkey behind a name and as second step, an app, and a recovery code, where two steps are asked for', inBrowser({ name: 'two-steps' }, async (b, page) => {
    const { to, organization } = await member({}, { mfa_required: true });
    await withPassword(b, to, `?organization=${organization.id}`);
    await b.look('enrol');
    await b.press('button[value=totp]');
    await b.look('enrol-app');
    const uri = await page.inputValue('input[name=uri]');
    await page.fill('#code', '12');
    await b.submit();
    await page.getByRole('alert').waitFor();
    assert.match(await page.innerText('[role=alert]'), /app shows now/);
    const step = now();
    await page.fill('#code', totp(uri, step));
    await b.submit();
    await b.look('enrol-codes');
    const recovery = await page.locator('#codes li').allInnerTexts();
    await b.submit();
    await page.waitForURL('**/account');
    await b.go('/account/passkeys/new');
    await b.touch(true);
    await b.submit();
    await page.waitForURL('**/account');
    await signOut(b);

    await withPassword(b, to);
    await b.go('/sign-in?method=other');
    await b.look('second-methods');
    await b.press('button[value=passkey]');
    await b.look('second-passkey');
    await b.touch(true);
    await b.submit();
    await page.waitForURL('**/account');
    await signOut(b);

    await withPassword(b, to);
    await b.go('/sign-in?method=recovery_code');
    await b.look('second-recovery');
    await page.fill('#code', 'AAAA-AAAA');
    await b.submit();
    await page.getByRole('alert').waitFor();
    await b.look('second-recovery-wrong');
    await page.fill('#code', ` ${recovery[0].toLowerCase()} `);
    await b.submit();
    await page.waitForURL('**/account');
    await signOut(b);

    await identify(b, to); // a passkey is two factors by itself
    await b.go('/sign-in?method=other');
    await b.press('button[value=passkey]');
    await b.look('passkey');
    await b.touch(true);
    await b.submit();
    await page.waitForURL('**/account');
  }));

  test('a passkey that is made on the way in, where two steps are asked for', inBrowser({ name: 'enrol-passkey' }, async (b, page) => {
    const { to } = await member({}, { mfa_required: true });
    await withPassword(b, to);
    await b.press('button[value=passkey]');
    await b.look('passkey-new');
    await b.touch(true);
    await b.submit();
    await page.waitForURL('**/account');
    await page.getByText('My passkey').waitFor();
  }));

  test('a password that has to be changed at once', inBrowser({ name: 'change' }, async (b, page) => {
    const { to } = await member({ change_password: true });
    await withPassword(b, to);
    await b.look('new-password');
    await page.fill('#new-password', password);
    await b.submit();
    await page.getByRole('alert').waitFor();
    await b.look('new-password-same');
    await page.fill('#new-password', 'entirely other words 77 lamp');
    await b.submit();
    await page.waitForURL('**/account');
  }));

  test('an address in a domain whose organization lets people join', inBrowser({ name: 'join' }, async (b, page) => {
    const organization = await api('POST', '/organizations', { name: unique('joinable'), branding: { primary_color: '#7c3aed' } });
    const domain = `${unique('joinable')}.example`;
    await api('POST', `/organizations/${organization.id}/domains`, { domain, verified: true, discovery: true });
    await api('PUT', `/organizations/${organization.id}/sign-in-rules`, { join_by_domain: true });
    const prove = async (to, query) => {
      await identify(b, to, query);
      await b.go('/sign-in?method=email_otp');
      await b.press('button[value=email_otp]');
      await page.fill('#code', await codeTo(to));
      await b.submit();
    };
    await prove(`nobody@${domain}`);
    await page.getByText('Join with your address').waitFor();
    await b.look('choose');
    await prove(`nora@${domain}`, `?organization=${organization.id}`);
    await b.look('join');
    await b.press('button[value=yes]');
    await page.fill('#name', 'Nora New');
    await page.fill('#new-password', password);
    await b.submit();
    await page.waitForURL('**/account');
    await page.getByText(organization.name).first().waitFor();
  }));

  test('guesses cost time, and a lock is lifted by the link that was mailed', inBrowser({ name: 'locked', from: network() }, async (b, page) => {
    const { to } = await member();
    await lockOut(to);
    await identify(b, to);
    await page.fill('#password', password);
    await b.submit(); // that much was guessed at the account that work is asked for
    await page.getByRole('alert').waitFor();
    await solved(page);
    await page.fill('#password', password);
    await b.submit();
    await page.getByRole('alert').waitFor();
    assert.match(await page.innerText('[role=alert]'), /Too many attempts. Try again in/);
    await b.look('locked');
    const at = link(await mail(to, /lock/i), '/unlock');
    await b.go(at.pathname + at.search);
    await b.look('unlock');
    await b.press('button[value=yes]');
    await b.look('unlocked');
    await b.go('/sign-in');
    await page.fill('#password', password);
    await b.submit();
    await page.waitForURL('**/account');
  }));
});

suite('looking after an account', () => {
  test('every change of it', inBrowser({ name: 'changes' }, async (b, page) => {
    const { to, user } = await member();
    await withPassword(b, to);
    await page.waitForURL('**/account');

    const elsewhere = await open();
    await withPassword(elsewhere, to);
    await elsewhere.page.waitForURL('**/account');
    await page.reload();
    await b.look('two-devices');
    await page.locator('#sessions .acts button').click();
    await page.locator('#sessions .acts button').waitFor({ state: 'detached' });
    await elsewhere.page.reload();
    assert.match(elsewhere.page.url(), /\/sign-in/, 'a device that was signed out');
    await withPassword(elsewhere, to);
    await elsewhere.page.waitForURL('**/account');
    await b.press('form[action="/account/sessions/others"] button');
    await elsewhere.page.reload();
    assert.match(elsewhere.page.url(), /\/sign-in/, 'signed out everywhere else');
    await elsewhere.close();

    await b.press(page.getByRole('button', { name: 'Add an authenticator app' }));
    await page.fill('#code', totp(await page.inputValue('input[name=uri]'), now()));
    await b.submit();
    const codes = await page.locator('#codes li').allInnerTexts();
    await b.press('#content .primary');
    await b.press(page.getByRole('link', { name: 'Rename: Authenticator app' }));
    await page.fill('#name', 'x'.repeat(100));
    await page.evaluate(() => { document.querySelector('#name').removeAttribute('maxlength'); document.querySelector('#name').value = 'x'.repeat(300); });
    await b.submit();
    await page.getByRole('alert').waitFor();
    await b.look('rename-wrong');
    await page.fill('#name', 'Phone of Ada');
    await b.submit();
    await page.getByText('Phone of Ada').waitFor();
    await b.press(page.getByRole('button', { name: 'New recovery codes' }));
    await b.look('new-codes');
    assert.notDeepEqual(await page.locator('#codes li').allInnerTexts(), codes);
    await b.press('#content .primary');
    await page.getByRole('button', { name: 'Remove: Phone of Ada' }).click();
    await page.getByText('Phone of Ada').waitFor({ state: 'detached' });
    await mail(to, /removed/);

    await b.press(page.getByRole('link', { name: 'Add a passkey' }));
    await b.touch(true);
    await b.submit();
    await page.waitForURL('**/account');
    await b.touch(false);
    await page.getByRole('button', { name: 'Remove: My passkey' }).click();
    await page.getByText('My passkey').waitFor({ state: 'detached' });

    await b.press(page.getByRole('link', { name: 'Change password' }));
    await page.fill('#current', 'wrong');
    await page.fill('#new-password', 'entirely other words 77 lamp');
    await b.submit();
    await page.getByRole('alert').waitFor();
    await b.look('password-wrong');
    await page.fill('#current', password);
    await page.fill('#new-password', 'entirely other words 77 lamp');
    await b.submit();
    await page.waitForURL('**/account');
    await mail(to, /password/i);

    await api('DELETE', `/users/${user.id}`);
    await page.reload();
    assert.match(page.url(), /\/sign-in/, 'the session of somebody who was deleted');
    await identify(b, to);
    await page.fill('#password', 'entirely other words 77 lamp');
    await b.submit();
    await page.getByRole('alert').waitFor();
    await b.look('deleted-person');
  }));

  test('a first password, and an address that is confirmed', inBrowser({ name: 'first-password' }, async (b, page) => {
    const { to } = await member({ password: undefined });
    await identify(b, to);
    await b.go('/sign-in?method=email_otp');
    await b.press('button[value=email_otp]');
    await page.fill('#code', await codeTo(to));
    await b.submit();
    await page.waitForURL('**/account');
    await b.press(page.getByRole('link', { name: 'Set a password' }));
    await b.look('set');
    await page.fill('#new-password', password);
    await b.submit();
    await page.getByRole('link', { name: 'Change password' }).waitFor();

    const unproven = await member({ email_verified: false });
    const call = async (path, body, token) => (await fetch(`${server.https}/guildhall/v1${path}`, {
      method: 'POST', headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) }, body: body && JSON.stringify(body),
    })).text();
    const { handle } = JSON.parse(await call('/sign-in', { identifier: unproven.to }));
    await call('/sign-in/continue', { handle, action: 'password', value: password });
    await call('/me/verification', undefined, JSON.parse(await call('/sign-in/finish', { handle })).secret);
    const at = link(await mail(unproven.to), '/verify');
    await signOut(b);
    await b.go(at.pathname + at.search); // has to sign in first
    assert.match(page.url(), /\/sign-in$/);
    await page.fill('#identifier', unproven.to);
    await b.submit();
    await page.fill('#password', password);
    await b.submit();
    await b.look('verify');
    await b.submit();
    await page.waitForURL('**/account');
    assert.equal((await api('GET', `/users/${unproven.user.id}`)).email_verified, true);
    await b.go(at.pathname + at.search);
    await b.submit();
    await page.getByText('used already').waitFor();
    await b.look('verify-used');
  }));
});

suite('messages on a development server', () => {
  test('are listed and read', inBrowser({ name: 'messages' }, async (b, page) => {
    const person = await invited();
    await mail(person.to, /Join/);
    await b.go('/dev/messages');
    await b.look('list');
    await b.press(page.getByRole('link', { name: new RegExp(person.to) }));
    await b.look('mail');
    assert.match(await page.frameLocator('iframe').locator('body').innerText(), new RegExp(person.name));
  }));
});

suite('surroundings', () => {
  const logo = 'https://cdn.example/logo.svg';
  const picture = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 240 60" width="240" height="60"><rect width="60" height="60" rx="14" fill="#0f766e"/><path d="M14 44L30 14l16 30z" fill="#ffffff"/><text x="74" y="41" font-family="sans-serif" font-weight="700" font-size="32" fill="#102a43">Contoso</text></svg>';
  for (const [colorScheme, direction, locale] of [['light', 'ltr', 'fr'], ['dark', 'ltr', 'es'], ['dark', 'rtl', 'en']]) {
    test(`an organization with a logo and colours, ${colorScheme}, ${direction}, ${locale}`, inBrowser({ name: `surroundings-${colorScheme}-${direction}-${locale}`, colorScheme, locale }, async (b, page) => {
      await b.context.route(logo, (route) => route.fulfill({ contentType: 'image/svg+xml', body: picture }));
      if (direction === 'rtl') await b.context.addInitScript(() => document.addEventListener('DOMContentLoaded', () => { document.documentElement.dir = 'rtl'; }));
      const { to, organization } = await member();
      await api('PATCH', `/organizations/${organization.id}`, { branding: { primary_color: '#0f766e', background_color: '#ecfdf5', logo_url: logo } });
      await b.go(`/sign-in?organization=${organization.id}`);
      assert.equal(await page.evaluate(() => document.querySelector('.brand img').naturalWidth > 0), true, 'the logo is not shown');
      await b.look('identify');
      await page.fill('#identifier', to);
      await b.submit();
      await b.look('password');
      await b.go('/sign-in?method=other');
      await b.look('methods');
      await b.go('/sign-in');
      await page.fill('#password', password);
      await b.submit();
      await page.waitForURL('**/account');
      await b.look('account');
      await b.press('form[action="/account/totp"] button');
      await b.look('totp');
    }));
  }
});
