/** What the panels use of Node-RED's editor: the published typings know neither the global nor half of these. */

/** A node while its dialog is open: its properties, and its part of the catalogue. */
interface EditorNode {
  /** Text of the node set's own catalogue. */
  _(key: string, values?: Record<string, unknown>): string;
  [property: string]: unknown;
}

interface EditorTab {
  id: string;
  label: string;
}

interface EditorTabs {
  addTab(tab: EditorTab): void;
}

interface TypedInputChoice {
  value: string;
  label: string;
  title?: string;
}

interface TypedInputType {
  value: string;
  label: string;
  icon?: string;
  options?: TypedInputChoice[];
}

/** A tab of the workspace. */
interface EditorWorkspace {
  env?: { name: string; value: string; type: string }[];
}

declare const RED: {
  nodes: {
    workspace(id: string): EditorWorkspace | undefined;
  };
  tabs: {
    create(options: { id: string; onchange: (tab: EditorTab) => void }): EditorTabs;
  };
};

interface JQuery {
  typedInput(options: { default: string; types: (string | TypedInputType)[] }): JQuery;
  typedInput(action: 'types', types: (string | TypedInputType)[]): void;
  typedInput(action: 'type' | 'value'): string;
  typedInput(action: 'type' | 'value', value: string): void;
}
