/** Batches of a bridge as messages, and messages that answer them. */
import { isPacketBatch, type PacketBatch } from '../../../src/batches/batch';
import type { FrameLike } from '../../../src/batches/columns';
import type { BridgeAnswer } from '../../../src/bridge/bridge-feed';
import type { BridgeAction, BridgeDirection } from '../../../src/options/values';
import { ringInfo, type CaptureMessage, type LossesSince } from '../capture/capture-output';
import type { Side } from './bridge-ledger';
import { shown, type Message } from '../control';

export interface BridgeMessage extends CaptureMessage {
  /** Plain, so that it survives cloning. Without a token there is nothing to send back. */
  bridge: { token?: string; direction: BridgeDirection };
}

export function bridgeMessage(batch: PacketBatch, bridge: BridgeMessage['bridge'], losses: ReturnType<LossesSince>): BridgeMessage {
  return { topic: batch.interface, payload: batch, ring: ringInfo(batch, losses), bridge };
}

/** The direction that a message that comes back is counted for. */
export function sideOfMessage({ bridge }: Message): Side {
  const direction = typeof bridge === 'object' && bridge !== null ? (bridge as Message)['direction'] : undefined;
  return direction === 'b-to-a' ? 'bToA' : 'aToB';
}

/** The token of a message that comes back. Throws TypeError when it has none. */
export function tokenOf(msg: Message): string {
  const { bridge } = msg;
  const token = typeof bridge === 'object' && bridge !== null ? (bridge as Message)['token'] : undefined;
  if (typeof token === 'string') return token;
  throw new TypeError(
    `msg.bridge.token is ${shown(token)}: a message for an inline bridge keeps the msg.bridge that it left the node with`,
  );
}

/** What a message that comes back says. Throws TypeError when it can mean nothing. */
export function answerOf(msg: Message): BridgeAnswer {
  const { verdict, payload } = msg;
  const frames = framesOf(payload);
  // A verdict stands by itself: whether a flow has put something else in the place of the frames does not matter then.
  if (verdict !== undefined && verdict !== null)
    return { verdict: verdictOf(verdict), ...(frames === undefined || verdict === 'drop' ? {} : { frames }) };
  if (frames !== undefined) return { frames };
  throw new TypeError(
    `payload is ${shown(payload)}: without msg.verdict it holds the frames to forward, a PacketBatch or an array of Buffers`,
  );
}

function verdictOf(verdict: unknown): BridgeAction | readonly BridgeAction[] {
  if (typeof verdict === 'string' || Array.isArray(verdict)) return verdict as BridgeAction | readonly BridgeAction[];
  throw new TypeError(`msg.verdict is ${shown(verdict)}: it is forward, drop, or an array of them`);
}

function framesOf(payload: unknown): PacketBatch | readonly FrameLike[] | undefined {
  if (isPacketBatch(payload)) return payload;
  return Array.isArray(payload) ? (payload as FrameLike[]) : undefined;
}
