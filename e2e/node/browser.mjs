// A headless Chromium with a virtual authenticator, which looks at every page it comes to: whether the policy of the
// page is violated, whether people with other abilities can use it, and what it looks like.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { chromium } from 'playwright-core';
import { email, server, unique } from './guildhall.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const rules = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const folder = process.env.GUILDHALL_ARTIFACTS ?? join(tmpdir(), 'guildhall-pages');
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';

let networks = 0;

/** An address that no other test of this run has: who guesses is known by his network. */
export const network = () => {
  networks += 1;
  return `198.${18 + (process.pid & 1)}.${(process.pid >> 1) & 255}.${networks & 255}`;
};

/** How wide the screens are that every page is looked at on: a phone and a desk. */
const screens = [{ width: 390, height: 844 }, { width: 1280, height: 800 }];

let running; // one browser for a whole suite: people differ by what a context of it keeps

after(async () => (await running)?.close());

/** Opens a browser of one person, in a network of his own. */
export async function open({ name = '', locale = 'en-US', colorScheme = 'light', javaScriptEnabled = true, from = network() } = {}) {
  running ??= chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
  const browser = await running;
  const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: screens[0], locale, colorScheme, extraHTTPHeaders: { 'x-forwarded-for': from } });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  const violations = [];
  await context.exposeFunction('reportViolation', (text) => violations.push(text));
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (e) => window.reportViolation(`${location.pathname}: ${e.violatedDirective} ${e.blockedURI}`));
  });
  page.on('pageerror', (e) => violations.push(`${page.url()}: ${e.message}`));
  // Where scripts are switched off, the console alone tells of the policy.
  page.on('console', (m) => /Content Security Policy/.test(m.text()) && violations.push(`${page.url()}: ${m.text()}`));
  const cdp = await context.newCDPSession(page);
  await cdp.send('WebAuthn.enable');
  const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true },
  });
  // A passkey is offered by the field for names, too: the authenticator stays silent until a finger is on it.
  const touch = (enabled) => cdp.send('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId, enabled });
  await touch(false);
  const scripts = (enabled) => cdp.send('Emulation.setScriptExecutionDisabled', { value: !enabled });
  await scripts(javaScriptEnabled);

  let seen = 0;
  /** Has axe look at the page: not as a script of the page, which its policy would refuse, or the browser, where scripts are off. */
  async function audit(what) {
    for (let attempt = 0; ; attempt++) {
      await scripts(true);
      const { result } = await cdp.send('Runtime.evaluate', {
        expression: `window.axe||(()=>{${axe}})();axe.run(document,${JSON.stringify({ runOnly: rules })}).then((r)=>JSON.stringify(r.violations.map((v)=>v.id+': '+v.nodes.map((n)=>n.html).join(' '))))`,
        awaitPromise: true,
        returnByValue: true,
      });
      await scripts(javaScriptEnabled);
      if (typeof result.value !== 'string' && attempt < 5) continue; // the page was left meanwhile
      assert.equal(result.value, '[]', `${what}: ${page.url()}`);
      return;
    }
  }

  /** Looks at the page that the browser is at, on every screen. */
  async function look(what) {
    await page.waitForLoadState('load');
    assert.deepEqual(violations, [], `${what}: violations of the policy`);
    seen += 1;
    for (const screen of screens) {
      await page.setViewportSize(screen);
      await audit(`${what}, ${screen.width} pixels wide`);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth), false, `${what} is wider than ${screen.width} pixels`);
      if (name) {
        mkdirSync(folder, { recursive: true });
        await page.screenshot({ path: join(folder, `${name}-${screen.width}-${String(seen).padStart(2, '0')}-${what}.png`), fullPage: true });
      }
    }
  }
  /** Presses what leads to another page, and waits for that. */
  const press = async (what) => {
    await Promise.all([page.waitForEvent('framenavigated'), typeof what === 'string' ? page.click(what) : what.click()]);
    await page.waitForLoadState('load');
  };
  const submit = () => press('#content button.primary');
  return { context, page, from, look, touch, press, submit, violations, go: (path) => page.goto(server.https + path), close: () => context.close() };
}

/** Calls the native API. */
export async function api(method, path, body, at = server) {
  const answer = await fetch(`${at.http}/guildhall/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${at.native.token}`, 'content-type': 'application/json' },
    body: body && JSON.stringify(body),
  });
  const text = await answer.text();
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
  return text ? JSON.parse(text) : undefined;
}

/** Guesses at an account, or at anybody's, from a network. */
async function guess(from, identifier) {
  const send = async (path, body) => {
    const answer = await fetch(`${server.http}/guildhall/v1${path}`, {
      method: 'POST', headers: { 'content-type': 'application/json', 'x-forwarded-for': from }, body: JSON.stringify(body),
    });
    return answer.json();
  };
  const { handle } = await send('/sign-in', { identifier });
  await send('/sign-in/continue', { handle, action: 'passkey', answer: {} });
}

/** Guesses from a network until it is suspicious. */
export async function makeSuspicious(from) {
  for (let n = 0; n < 10; n++) await guess(from, email(unique('nobody')));
}

/** Guesses at an account from so many networks that it is locked for all where it is not at home. */
export async function lockOut(identifier) {
  for (let n = 0; n < 51; n++) await guess(network(), identifier);
}

const seen = new Set();

/** Waits for the newest message to somebody whose subject matches and that nobody was given before. */
export async function mail(to, subject = /./, at = server) {
  for (let attempt = 0; attempt < 100; attempt++) {
    const found = (await api('GET', '/dev/messages', undefined, at)).items.find((m) => m.to === to && subject.test(m.subject ?? '') && !seen.has(m.text));
    if (found) {
      seen.add(found.text);
      return found;
    }
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error(`no mail to ${to} with ${subject}`);
}

/** The address in a message. */
export const link = (message, path) => new URL(message.text.match(new RegExp(`https?://\\S+${path}\\S*`))[0]);

/** The code of an authenticator app (RFC 6238). */
export function totp(uri, step) {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bits = [...new URL(uri).searchParams.get('secret')].map((c) => alphabet.indexOf(c).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map((b) => parseInt(b, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const hash = createHmac('sha1', key).update(counter).digest();
  return String((hash.readUInt32BE(hash[19] & 15) & 0x7fffffff) % 1e6).padStart(6, '0');
}

export const now = () => Math.floor(Date.now() / 30_000);
