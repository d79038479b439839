/** Node-RED's editor in a real browser, used with mouse and keyboard as a person would. */
import { strict as assert } from 'node:assert';
import { mkdirSync } from 'node:fs';
import { chromium, type Browser, type Locator, type Page } from 'playwright-core';
import type { Lab } from '../support/lab';
import type { NodeRed } from '../support/node-red';
import { runtimeCache } from '../support/paths';
import { until } from '../support/wait';

const QUIET = [
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export interface EditorOptions {
  width?: number;
  height?: number;
  /** Device pixels a pixel. */
  scale?: number;
}

/** Opens the editor in a browser with a fresh profile; the lab closes it. */
export async function openEditor(lab: Lab, red: NodeRed, options: EditorOptions = {}): Promise<Editor> {
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', headless: true, args: QUIET });
  lab.defer(() => browser.close());
  return Editor.open(browser, red, options);
}

export class Editor {
  readonly page: Page;
  /** Exceptions and error messages of the page, and answers that failed: there must be none. */
  readonly problems: string[] = [];

  private constructor(page: Page) {
    this.page = page;
    page.setDefaultTimeout(20_000);
    page.on('pageerror', (error) => this.problems.push(`exception: ${error.message}`));
    page.on('console', (message) => {
      // Not warnings: on loading, Node-RED itself warns of debug messages that come before the flows.
      if (message.type() === 'error') this.problems.push(`${message.type()}: ${message.text()}`);
    });
    page.on('response', (response) => {
      if (response.status() >= 400) this.problems.push(`${response.request().method()} ${response.url()}: ${response.status()}`);
    });
  }

  static async open(browser: Browser, red: NodeRed, { width = 1280, height = 860, scale = 1 }: EditorOptions = {}): Promise<Editor> {
    const editor = new Editor(await browser.newPage({ viewport: { width, height }, deviceScaleFactor: scale }));
    await editor.page.goto(red.url);
    // The last thing that the editor loads before it can be used.
    await editor.page.waitForSelector('.red-ui-palette-node[data-palette-type="netring-capture-in"]');
    await editor.page.waitForFunction(
      'RED.workspaces.active() !== 0 && document.querySelector("#red-ui-loading-progress") === null || !document.querySelector("#red-ui-loading-progress")?.offsetParent',
    );
    return editor;
  }

  /** Runs an expression in the page. */
  async ask<T>(expression: string): Promise<T> {
    return this.page.evaluate<T>(expression);
  }

  paletteEntry(type: string): Locator {
    return this.page.locator(`.red-ui-palette-node[data-palette-type="${type}"]`);
  }

  node(id: string): Locator {
    return this.page.locator(`[id="${id}"]`);
  }

  /** Drags a node from the palette; the point is in pixels of the window. Returns its id. */
  async drag(type: string, x: number, y: number): Promise<string> {
    const before = await this.#ids(type);
    const entry = this.paletteEntry(type);
    await entry.scrollIntoViewIfNeeded();
    const box = await entry.boundingBox();
    assert.ok(box);
    await this.page.mouse.move(box.x + 20, box.y + 10);
    await this.page.mouse.down();
    await this.page.mouse.move(x - 40, y - 20, { steps: 4 });
    await this.page.mouse.move(x, y, { steps: 4 });
    await this.page.mouse.up();
    return until(async () => (await this.#ids(type)).find((id) => !before.includes(id)), 15_000, `a new ${type} on the canvas`);
  }

  /** Draws a wire from an output to the other node's input. */
  async wire(from: string, output: number, to: string): Promise<void> {
    await this.node(from).locator('.red-ui-flow-port-output').nth(output).hover();
    await this.page.mouse.down();
    await this.node(to).locator('.red-ui-flow-port-input').hover();
    await this.page.mouse.up();
    const drawn = `RED.nodes.filterLinks({ source: { id: '${from}' }, sourcePort: ${output} }).some((link) => link.target.id === '${to}')`;
    await until(() => this.ask<boolean>(drawn), 15_000, `a wire from ${from} to ${to}`);
  }

  /** Opens a node's dialog. */
  async edit(id: string): Promise<void> {
    const panel = this.page.locator('.netring-panel');
    const tray = this.page.locator('.red-ui-tray');
    const open = async (): Promise<boolean> => {
      await this.node(id).locator('.red-ui-flow-node').first().dblclick();
      // The tray that the dialog comes in, which covers the node. A page that stalls answers late, and does not miss the question.
      return until(async () => (await tray.count()) > 0, 3000, 'a tray').then(
        () => true,
        () => false,
      );
    };
    // The editor measures the time between two clicks itself: on a machine that stalls just then they are no double click.
    if (!(await open())) await open();
    await panel.waitFor();
    await this.#settled();
  }

  async done(): Promise<void> {
    await this.page.click('#node-dialog-ok');
    await this.#closed();
  }

  async cancel(): Promise<void> {
    await this.page.click('#node-dialog-cancel');
    await this.#closed();
  }

  /** Closes a dialog that a failed test has left open. */
  async leave(): Promise<void> {
    if ((await this.page.locator('.red-ui-tray').count()) > 0) await this.cancel();
  }

  /** Opens a tab of the dialog. The editor takes two clicks on tabs within 400 ms for a double click, so it may need a second one. */
  async tab(name: string): Promise<void> {
    const pane = this.page.locator(`#netring-tab-${name}`);
    const open = async (): Promise<boolean> => {
      await this.page.locator(`.netring-panel a[href="#netring-tab-${name}"]`).click();
      return pane
        .waitFor({ timeout: 450 })
        .then(() => true)
        .catch(() => false);
    };
    await until(open, 15_000, `the tab ${name}`);
  }

  field(property: string): Locator {
    return this.page.locator(`#node-input-${property}`);
  }

  /** Types over what stands in a field, key by key. */
  async type(property: string, text: string): Promise<void> {
    await this.field(property).fill('');
    await this.field(property).pressSequentially(text);
    assert.equal(await this.field(property).inputValue(), text);
  }

  error(property: string): Locator {
    return this.page.locator(`#netring-error-${property}`);
  }

  /** What the interface picker shows as picked. */
  picked(): Locator {
    return this.page.locator('.netring-panel .red-ui-typedInput-option-label');
  }

  /** Chooses how the interface is given. */
  async pickType(label: string): Promise<void> {
    await this.page.locator('.netring-panel .red-ui-typedInput-type-select').click();
    const entry = (await this.menu()).filter({ hasText: label });
    // A list of interfaces that arrives while the button is down opens the menu anew.
    const picked = async (): Promise<boolean> => {
      await entry.click();
      return entry.waitFor({ state: 'hidden', timeout: 1000 }).then(
        () => true,
        () => false,
      );
    };
    await until(picked, 15_000, `the kind ${label}`);
  }

  /** The entries of the interface list, which it leaves open; resolves once they have come. */
  async openInterfaceList(property = 'interface'): Promise<Locator> {
    await this.page.locator(`#netring-${property} + .red-ui-typedInput-container .red-ui-typedInput-option-trigger`).click();
    return this.menu(' · ');
  }

  /**
   * The entries of the menu that is open, once one of them has the text and the menu stands: while it slides open, an entry that is pressed may be
   * another one by the time that the button is let go, and nothing is chosen.
   */
  async menu(text = ''): Promise<Locator> {
    const entries = this.page.locator('.red-ui-typedInput-options:visible a');
    await entries.filter({ hasText: text }).first().waitFor();
    await this.page.waitForFunction('!$(".red-ui-typedInput-options").is(":animated")');
    return entries;
  }

  async pickInterface(name: string, property = 'interface'): Promise<void> {
    await (await this.openInterfaceList(property)).filter({ hasText: new RegExp(`^${name} `) }).click();
    await this.page.waitForFunction(`document.querySelector('#node-input-${property}').value === '${name}'`);
  }

  /** Presses Deploy. Resolves when the runtime has taken the flows, and the editor its answer: until then it covers what could be changed. */
  async deploy(): Promise<void> {
    const answer = this.page.waitForResponse((response) => response.url().endsWith('/flows') && response.request().method() === 'POST');
    const deployed = Promise.all([answer, this.page.click('#red-ui-header-button-deploy:not(.disabled)')]);
    await deployed.catch(async (error: unknown) => {
      const said = await this.page.locator('.red-ui-notification:visible').allInnerTexts();
      throw new Error(`nothing was deployed; the editor says ${JSON.stringify(said)}`, { cause: error });
    });
    assert.equal((await answer).status(), 200);
    await this.page.waitForFunction('!$("#red-ui-editor-shade").is(":visible") && !RED.nodes.dirty()');
  }

  status(id: string): Locator {
    return this.node(id).locator('.red-ui-flow-node-status-label');
  }

  /** Resolves once the text under the node matches. */
  async waitForStatus(id: string, pattern: RegExp, ms = 15_000): Promise<string> {
    const look = async (): Promise<string | undefined> => {
      const text = (await this.status(id).textContent()) ?? '';
      return pattern.test(text) ? text : undefined;
    };
    return until(look, ms, `status ${String(pattern)} under ${id}`);
  }

  /** A node's property as the editor holds it. */
  async property<T>(id: string, name: string): Promise<T> {
    return this.ask<T>(`RED.nodes.node('${id}')['${name}']`);
  }

  /** Keeps a picture in .cache/screenshots/<runtime>/, for whoever wants to look. */
  async screenshot(name: string, path = runtimeCache('screenshots')): Promise<void> {
    mkdirSync(path, { recursive: true });
    await this.page.screenshot({ path: `${path}/${name}.png` });
  }

  async #ids(type: string): Promise<string[]> {
    return this.ask<string[]>(`RED.nodes.filterNodes({ type: '${type}' }).map((node) => node.id)`);
  }

  /**
   * The dialog slides in; what is clicked before it stands is missed. A moment later the editor focuses its first control, and what is typed just
   * then into another one comes there in part.
   */
  async #settled(): Promise<void> {
    await this.page.waitForFunction('document.querySelector(".red-ui-tray-body")?.contains(document.activeElement)');
    // The list of interfaces has come, for every picker of the panel.
    await this.page.waitForFunction(`[...document.querySelectorAll('.netring-panel [id^="netring-interface"][id$="-state"]')].every(
      (line) => line.textContent !== '' || document.getElementById(line.id.replace('netring-', 'node-input-').replace('-state', '')).value === '')`);
  }

  async #closed(): Promise<void> {
    await this.page.waitForFunction('document.querySelector(".red-ui-tray") === null');
  }
}

/** Everything that a user can read in the dialog. */
export const TEXTS = `(() => {
  const panel = document.querySelector('.netring-panel');
  const attributes = [...panel.querySelectorAll('*')].flatMap((element) => ['placeholder', 'title', 'aria-label'].map((name) => element.getAttribute(name) ?? ''));
  return [panel.innerText, ...[...panel.querySelectorAll('option')].map((option) => option.textContent), ...attributes].join('\\n');
})()`;

/** Ids of controls that neither a label nor an ARIA attribute names. */
export const UNLABELLED = `[...document.querySelectorAll('.netring-panel input, .netring-panel select, .netring-panel textarea, .netring-panel button')]
  .filter((control) => control.type !== 'hidden' && getComputedStyle(control).display !== 'none')
  .filter((control) => !control.labels?.length && !control.ariaLabel && !document.getElementById(control.getAttribute('aria-labelledby')))
  .map((control) => control.id || control.className)`;
