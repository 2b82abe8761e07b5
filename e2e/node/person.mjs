// A person at a browser without scripts, who fills in the forms of the hosted pages; and the applications they sign in to.
import assert from 'node:assert/strict';
import { email, server, unique } from './guildhall.mjs';
import { api } from './browser.mjs';

export const password = 'correct horse battery staple 9';
export const back = 'https://app.example.com/cb';
export const bye = 'https://app.example.com/bye';

/** The names under which a development server is known, each compared letter by letter by clients. */
export const issuers = [`${server.https}/`, server.https.replace('localhost', '127.0.0.1'), `${server.https}/oidc`];

/** Registers an application. */
export async function register(signIn = {}, more = {}) {
  return api('POST', '/applications', { name: unique('shop'), sign_in: { kind: 'web', redirect_uris: [back], logout_uris: [bye], ...signIn }, ...more });
}

/** Makes an account with a password. */
export async function account() {
  const to = email(unique('person'));
  const { id } = await api('POST', '/users', { email: to, email_verified: true, name: 'Ada Lovelace', password });
  return { id, email: to };
}

/** A jar keeps cookies by their names: everything here is on one host. */
export function jar() {
  const cookies = new Map();
  return {
    cookies,
    header: () => [...cookies].map(([name, value]) => `${name}=${value}`).join('; '),
    keep(lines) {
      for (const line of lines) {
        const [pair, ...attributes] = line.split(/;\s*/);
        const name = pair.slice(0, pair.indexOf('='));
        if (attributes.some((a) => /^max-age=0$/i.test(a) || /^expires=Thu, 01 Jan 1970/i.test(a))) cookies.delete(name);
        else cookies.set(name, pair.slice(pair.indexOf('=') + 1));
      }
    },
  };
}

const unescaped = (s) => s.replaceAll('&#34;', '"').replaceAll('&#39;', "'").replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&#43;', '+').replaceAll('&amp;', '&');

function forms(html) {
  return [...html.matchAll(/<form[^>]*action="([^"]*)"[^>]*>([\s\S]*?)<\/form>/g)].map(([, action, inner]) => ({
    action: unescaped(action),
    fields: new URLSearchParams(
      [...inner.matchAll(/<input[^>]*>/g)].map(([tag]) => [tag.match(/name="([^"]*)"/)?.[1], unescaped(tag.match(/value="([^"]*)"/)?.[1] ?? '')]).filter(([name]) => name),
    ),
  }));
}

/** Sits somebody down at a browser. `answers` say what they press on pages that ask, by the action of the form. */
export function person(who, answers = {}) {
  const mine = jar();
  return {
    answers,
    /** Follows an address until the browser leaves the server or a page asks nothing; gives where it is. */
    async visit(address) {
      const own = new URL(address).host;
      let at = new URL(address);
      let body;
      for (let hop = 0; hop < 30; hop++) {
        const answer = await fetch(at, {
          method: body ? 'POST' : 'GET', body, redirect: 'manual',
          headers: { cookie: mine.header(), ...(body && { 'content-type': 'application/x-www-form-urlencoded' }) },
        });
        mine.keep(answer.headers.getSetCookie());
        const text = await answer.text();
        body = undefined;
        const location = answer.headers.get('location');
        if (location) {
          at = new URL(location, at);
          if (at.host !== own) return at;
          continue;
        }
        assert.equal(answer.status, 200, `${at}: ${text.replace(/<[^>]*>/g, ' ')}`);
        const fill = {
          '/sign-in/identify': ['identifier', who.email],
          '/sign-in/password': ['password', password],
          ...answers,
        };
        const form = forms(text).find((f) => fill[f.action]);
        if (!form) return at;
        form.fields.set(...fill[form.action]);
        at = new URL(form.action, at);
        body = form.fields.toString();
      }
      throw new Error(`the pages go round in circles at ${at}`);
    },
  };
}
