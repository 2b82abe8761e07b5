// What people do first in most journeys over the hosted pages.
import { api, link, mail } from './browser.mjs';
import { email, unique } from './guildhall.mjs';

export const password = 'correct horse battery staple 9';

/** Invites somebody into a new organization. */
export async function invited(settings = {}) {
  const name = unique('pages');
  const organization = await api('POST', '/organizations', { name, branding: { primary_color: '#0f766e' }, ...settings });
  const to = email(name);
  await api('POST', `/organizations/${organization.id}/invitations`, { email: to, inviter: 'Grace Hopper', send_mail: true });
  return { organization, to, name };
}

/** Signs up by an invitation, with a code by mail. */
export async function signUp(person, b) {
  const { page } = b;
  const at = link(await mail(person.to, /Join/), '/invitation');
  await b.go(at.pathname + at.search);
  await b.look('invitation');
  await b.submit();
  await b.look('methods');
  await b.press('button[value=email_otp]');
  await page.fill('#code', '000000');
  await b.submit();
  await page.getByRole('alert').waitFor();
  await b.look('code-wrong');
  await page.fill('#code', (await mail(person.to, /code/)).text.match(/\d{6}/)[0]);
  await b.submit();
  await b.look('account-new');
  await page.fill('#name', 'Ada Lovelace');
  await page.fill('#new-password', password);
  await b.submit();
  await page.waitForURL('**/account');
  await b.look('account');
}

export async function signOut(b) {
  await b.touch(false);
  await b.go('/sign-out');
  await b.look('sign-out');
  await b.press('button[value=yes]');
  await b.look('signed-out');
}

export async function identify(b, to, query = '') {
  await b.go(`/sign-in${query}`);
  await b.page.fill('#identifier', to);
  await b.submit();
}
