/** The shared code of the panels. The build puts it into each node's HTML as one classic script, which the editor's page can load. */
import { prepareCaptureIn, saveCaptureIn } from './capture-in';
import { prepareInjectOut } from './inject-out';
import { interfaceLabel } from './label';
import { addStyle } from './style';

const netringEditor = { prepareCaptureIn, saveCaptureIn, prepareInjectOut, interfaceLabel };

declare global {
  interface Window {
    netringEditor: typeof netringEditor;
  }
}

addStyle();
window.netringEditor = netringEditor;
