// What every suite needs to know of the server under test.
import { readFileSync } from 'node:fs';

if (!process.env.GUILDHALL_CREDENTIALS) {
  throw new Error('GUILDHALL_CREDENTIALS names the credentials.json of a running "guildhall serve --dev"; "go test" sets it');
}

export const server = JSON.parse(readFileSync(process.env.GUILDHALL_CREDENTIALS, 'utf8'));

let made = 0;

/** Names something that no other test of this run names, lower-case and within every dialect's rules for names. */
export function unique(prefix) {
  made += 1;
  return `${prefix}-${process.pid}-${made}`;
}

export const email = (name) => `${name}@example.test`;

/** Collects whatever can be iterated asynchronously. */
export async function collect(items) {
  const all = [];
  for await (const item of items) all.push(item);
  return all;
}
