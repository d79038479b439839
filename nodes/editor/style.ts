/** The look of the panels. Only the editor's own variables, so that every theme fits. */
const STYLE = `
.netring-panel { min-width: 630px; }
.netring-panel .form-row { display: flex; align-items: center; gap: 8px; margin-bottom: 10px; }
.netring-panel .form-row.netring-top { align-items: flex-start; }
.netring-panel .form-row > label { flex: 0 0 126px; width: 126px; margin: 0; }
.netring-panel .form-row > input[type=text], .netring-panel .form-row > select { flex: 1 1 auto; width: 100px; min-width: 0; }
.netring-panel .form-row > input.netring-number { flex: 0 0 130px; width: 130px; }
.netring-panel .form-row > .red-ui-typedInput-container { flex: 1 1 auto; }
.netring-panel .form-row > textarea { flex: 1 1 auto; width: 100px; height: 130px; resize: vertical; font-family: var(--red-ui-monospace-font); font-size: 12px; }
.netring-panel .form-row > textarea.netring-short { height: 84px; }
.netring-panel .form-row.netring-columns { margin-bottom: 4px; }
.netring-panel .netring-column { flex: 0 0 130px; width: 130px; color: var(--red-ui-primary-text-color); }
.netring-panel .netring-tabs { min-width: 630px; }
.netring-panel .netring-content { padding-top: 16px; }
.netring-panel select[hidden] { display: none; }
.netring-panel .form-row.netring-check { margin-left: 134px; }
.netring-panel .form-row.netring-check > label { flex: 1 1 auto; width: auto; }
.netring-panel .form-row.netring-check > input[type=checkbox] { flex: 0 0 auto; width: auto; margin: 0; }
.netring-panel .form-row.netring-check > input.netring-environment { order: 2; flex: 0 0 160px; width: 160px; }
.netring-panel .netring-hint { margin: -5px 0 11px 134px; min-height: 1px; font-size: 12px; line-height: 16px; color: var(--red-ui-primary-text-color); }
.netring-panel .netring-hint code { font-size: 11px; white-space: normal; }
.netring-panel .netring-hint.netring-wrong, .netring-panel .netring-hint.netring-error { color: var(--red-ui-text-color-error); }
.netring-panel .netring-hint .netring-mistake { margin: 0; padding: 0; border: none; background: none; overflow: hidden; font-family: var(--red-ui-monospace-font);
  font-size: 12px; line-height: 16px; color: var(--red-ui-primary-text-color); white-space: pre; }
.netring-panel .netring-mistake u, .netring-panel .netring-mistake span { color: var(--red-ui-text-color-error); text-decoration: none; }
.netring-panel .netring-under-check { margin-left: 155px; }
.netring-panel .netring-unit { color: var(--red-ui-primary-text-color); white-space: nowrap; }
.netring-panel .netring-capability { padding: 0 5px; border: 1px solid var(--red-ui-secondary-border-color); border-radius: 3px; font-size: 11px;
  white-space: nowrap; color: var(--red-ui-primary-text-color); background: var(--red-ui-tertiary-background); }
.netring-panel .netring-summary { margin: 0 0 14px 134px; padding: 6px 10px; border-left: 3px solid var(--red-ui-border-color-success);
  background: var(--red-ui-tertiary-background); color: var(--red-ui-primary-text-color); }
.netring-panel .netring-warning { margin: 0 0 12px 134px; padding: 6px 10px; border-left: 3px solid var(--red-ui-border-color-warning);
  background: var(--red-ui-tertiary-background); color: var(--red-ui-primary-text-color); }
.netring-panel input:disabled { color: var(--red-ui-form-text-color-disabled); background: var(--red-ui-form-input-background-disabled); }
.netring-panel .netring-tab-error::after { content: ' \\25CF'; color: var(--red-ui-text-color-error); }
`;

/** Both panels bring the style; the page needs it once. */
export function addStyle(): void {
  if (document.getElementById('netring-style') !== null) return;
  $('<style id="netring-style">').text(STYLE).appendTo('head');
}
