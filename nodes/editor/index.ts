/** The shared code of the panels. The build puts it into each node's HTML as one classic script, which the editor's page can load. */
import { prepareBridge, saveBridge } from './bridge';
import { prepareCaptureIn, saveCaptureIn } from './capture-in';
import { refusedFilter } from './filter';
import { prepareInjectOut } from './inject-out';
import { bridgeLabel, interfaceLabel } from './label';
import { addStyle } from './style';
import { prepareXdp } from './xdp';

const netringEditor = {
  prepareBridge,
  saveBridge,
  prepareCaptureIn,
  saveCaptureIn,
  prepareInjectOut,
  prepareXdp,
  refusedFilter,
  bridgeLabel,
  interfaceLabel,
};

declare global {
  interface Window {
    netringEditor: typeof netringEditor;
  }
}

addStyle();
window.netringEditor = netringEditor;
