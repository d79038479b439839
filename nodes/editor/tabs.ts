/** The tabs of a panel. */

/** Makes tabs of the children of `#<id>-content`; the label of each is its `data-label` in the catalogue. */
export function createTabs(node: EditorNode, id: string): void {
  const panes = $(`#${id}-content`).children();
  const tabs = RED.tabs.create({
    id,
    onchange: (tab) => {
      panes.hide();
      $(`#${tab.id}`).show();
    },
  });
  panes.each((_index, pane) => {
    tabs.addTab({ id: pane.id, label: node._(pane.dataset['label'] ?? '') });
    $(pane).attr({ role: 'tabpanel', 'aria-label': node._(pane.dataset['label'] ?? '') });
  });
}
