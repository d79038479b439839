/** What an xdp node's properties come to. */
import { parseFilter, XDP_FILTER } from '../../../src/options/filter-program';
import type { XdpNodeSettings, XdpOptions } from '../../../src/options/generated/builders';
import type { InputForm, OutputForm } from '../../../src/options/values';

export interface XdpNodeSetup {
  interface: string;
  /** What the socket's memory is for: packets to come, frames to go, or both. */
  receives: boolean;
  sends: boolean;
  /** Whether the node attaches a program of its own, and whether that has a filter to begin with. */
  attaches: boolean;
  filtered: boolean;
  input: InputForm;
  output: OutputForm;
  /** Seconds between statistics messages. */
  statsInterval: number;
  allowDefaultRoute: boolean;
}

/** `options` are those of a flow, checked. */
export function setupOf(options: XdpOptions, own: XdpNodeSettings): XdpNodeSetup {
  const { interface: name = '', mode = 'rxtx', prefill = 0, frameCount, attach = 'auto', filter } = options;
  return {
    ...own,
    interface: name,
    receives: mode === 'custom' ? prefill > 0 : mode !== 'tx',
    sends: mode === 'custom' ? prefill !== frameCount : mode !== 'rx',
    attaches: attach !== 'none',
    filtered: parseFilter(filter ?? '', 'filter', XDP_FILTER).length > 0,
  };
}
