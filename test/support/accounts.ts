/** Accounts have to add up, whenever one looks. */
import assert from 'node:assert/strict';
import type { ForwardedAccount, ReceivedAccount, SentAccount } from '@netring/node-red';

/** Asserts that the account's first number is the sum of the others, and that none is negative; returns it. */
export function balanced<A extends ReceivedAccount | SentAccount | ForwardedAccount>(account: A): A {
  const [total, ...parts] = Object.values(account as unknown as Record<string, number>);
  assert.equal(
    parts.reduce((sum, part) => sum + part, 0),
    total,
    JSON.stringify(account),
  );
  for (const [name, count] of Object.entries(account)) assert.ok(Number.isInteger(count) && count >= 0, `${name} ${String(count)}`);
  return account;
}
