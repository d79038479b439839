/** What the nodes count between the rings and the flow. Metrics of the handles themselves are the library's. */
import type { SentAccount } from '../../../src/ledger';
import { Book, type Row } from '../../../src/metrics/book';
import { counter, gauge } from '../../../src/metrics/books';
import { addBook } from '../../../src/metrics/families';

/** A part of a node that is in one of the books. */
export interface Counted {
  counted(): readonly Row[];
}

const PREFIX = 'netring_node_';

export const receivingNodes = new Book<Counted>(
  PREFIX,
  ['iface'],
  [counter('shed', 'Packets taken out of a ring that the flow did not get')],
  (node) => node.counted(),
);

export const sendingNodes = new Book<Counted>(
  PREFIX,
  ['iface'],
  [
    counter('tx_accepted', 'Frames that came in messages'),
    counter('tx_packets', 'Frames of messages taken by the kernel'),
    counter('tx_rejected', 'Frames of messages refused for what they are'),
    counter('tx_drops', 'Frames of messages given up: no room, no link, node stopped'),
    gauge('tx_waiting', 'Frames of messages that are not answered yet'),
    gauge('tx_waiting_bytes', 'What these messages take of the queue'),
  ],
  (node) => node.counted(),
);

/** The columns of `sendingNodes`. */
export function sendingRow(iface: string, account: SentAccount, waitingBytes: number): Row {
  const { accepted, sent, rejected, dropped, waiting } = account;
  return { labels: [iface], values: [accepted, sent, rejected, dropped, waiting, waitingBytes] };
}

export const bridgeNodes = new Book<Counted>(
  PREFIX,
  ['iface', 'direction'],
  [
    counter('late_answers', 'Answers of the flow to inline batches that came too late, or after another'),
    counter('wrong_answers', 'Answers of the flow that could not be taken for one'),
  ],
  (node) => node.counted(),
);

for (const book of [receivingNodes, sendingNodes, bridgeNodes]) addBook(book);
