"""The page: Gradio's components, a tab for one row and one for a file. No other module uses Gradio.

A file is read by the page and sent as text; nothing is written to a disk, and no path is known.
"""

import os
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from titanic_nn.app.form import Field
from titanic_nn.app.model import LARGEST_FILE, MOST_ROWS, AppModel
from titanic_nn.escape import printable

if TYPE_CHECKING:
    from gradio.blocks import Block

WAITING = 20  # requests; more are refused
SESSIONS = 64  # of pages whose answers are kept until they are fetched
NARROWEST = 140  # pixels of a field; two stand beside each other, also on a phone
# What the page sends of the chosen file; its content only if it is small enough to be read.
READ_FILE = """
async () => {
  const file = document.querySelector("#table_file").files[0];
  if (!file) return [null];
  const upload = { name: file.name, size: file.size, content: "" };
  if (file.size <= %d) {
    const reader = new FileReader();
    await new Promise((done) => { reader.onloadend = done; reader.readAsDataURL(file); });
    upload.content = (reader.result || "").split(",")[1] || "";
  }
  return [upload];
}
"""
# Gradio puts its own class before each selector; its variables are those of its two colour schemes.
STYLE = """
.answer, .about, #table_file { --ink: var(--body-text-color);
  --note: var(--block-info-text-color); --line: var(--border-color-primary); color: var(--ink); }
.about h1 { font-size: 1.5rem; margin: 0 0 .25rem; overflow-wrap: anywhere; }
.about p, .answer details p { color: var(--note); margin: .2rem 0; }
.answer h3 { font-size: 1rem; margin: 1rem 0 .3rem; }
.answer .verdict { font-size: 1.2rem; }
.answer .complaint { border-left: .25rem solid #D55E00; padding: .5rem .8rem;
  overflow-wrap: anywhere; }
.answer .scroll { overflow-x: auto; }
.answer table { border-collapse: collapse; border: 0; font-variant-numeric: tabular-nums; }
.answer tr { border: 0; }
.answer th, .answer td { padding: .25rem .8rem .25rem 0; text-align: right; white-space: nowrap;
  border-width: 0 0 1px; border-color: var(--line); }
.answer th:first-child, .answer td:first-child { text-align: left; min-width: 6rem;
  white-space: normal; overflow-wrap: anywhere; }
.answer .highlighted { font-weight: 700; }
.answer details { margin-top: .6rem; }
.answer summary { cursor: pointer; }
.answer figure { margin: 0; }
.answer svg { display: block; width: 100%; max-width: 38rem; height: auto; }
.answer ul { padding-left: 1.2rem; list-style: disc; color: var(--note); }
.answer a.download { text-decoration: underline; }
#table_file { display: block; width: 100%; padding: 1.5rem; border: 2px dashed var(--line);
  border-radius: .5rem; }
"""


def gradio_app(model: AppModel) -> tuple[Any, dict[int, int]]:
    """The app as an ASGI application, and how many values each of its events takes."""
    _ignore_environment()
    import gradio as gr
    from fastapi import FastAPI

    schema = model.competition.schema
    first = model.answer_row([field.default for field in model.fields]) if model.background else ""
    with gr.Blocks(title=model.title, analytics_enabled=False) as blocks:
        gr.HTML(_about(model))
        with gr.Tab(f"One {printable(schema.row_name)}"), gr.Row():
            with gr.Column(scale=2):
                inputs = []
                for two in zip(*[iter([*model.fields, None])] * 2, strict=False):
                    with gr.Row():
                        inputs += [_component(field) for field in two if field]
                ask = gr.Button("Predict", variant="primary")
            with gr.Column(scale=3):
                answer = gr.HTML(first, elem_id="row_answer")
        with gr.Tab("A CSV file"):
            gr.HTML(_file_input([c.name for c in schema.columns]))
            upload = gr.JSON(visible=False)
            ask_table = gr.Button("Predict the file", variant="primary")
            table_answer = gr.HTML(elem_id="table_answer")

        def answer_row(*values: Any) -> str:
            return model.answer_row(values)

        # Values arrive as the page sends them: the schema checks them, as it checks a file.
        common: Any = {
            "preprocess": False,
            "concurrency_id": "model",
            "concurrency_limit": 1,
            "api_visibility": "private",
        }
        ask.click(answer_row, inputs, answer, **common)
        ask_table.click(
            model.answer_table, upload, table_answer, js=READ_FILE % LARGEST_FILE, **common
        )
    blocks.queue(max_size=WAITING, api_open=False)
    blocks.state_session_capacity = SESSIONS
    blocks._queue.pending_messages_per_session.max_size = SESSIONS
    app = gr.mount_gradio_app(
        FastAPI(docs_url=None, redoc_url=None, openapi_url=None),
        blocks,
        path="/",
        footer_links=[],
        run_history=False,
        show_error=False,
        enable_monitoring=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        theme=gr.themes.Base(
            font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
        ).set(  # dark enough to be read
            block_info_text_color="*neutral_600", block_info_text_color_dark="*neutral_400"
        ),
        css=STYLE,
    )
    return app, {number: len(event.inputs) for number, event in blocks.fns.items()}


def _ignore_environment() -> None:
    """Ignore Gradio's environment variables, and send no telemetry."""
    for name in [name for name in os.environ if name.startswith("GRADIO_")]:
        del os.environ[name]
    os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1"}


def _component(field: Field) -> "Block":
    import gradio as gr

    label, info = printable(field.column), escape(printable(field.expected))
    if field.kind == "number":
        return gr.Number(field.default, label=label, info=info, min_width=NARROWEST)
    if field.kind == "choice":
        choices = [(printable(choice) or "unknown", choice) for choice in field.choices]
        return gr.Dropdown(
            choices, value=field.default, label=label, info=info, min_width=NARROWEST
        )
    return gr.Textbox(field.default, label=label, info=info, max_lines=1, min_width=NARROWEST)


def _about(model: AppModel) -> str:
    about = escape(printable(model.about))
    return f'<div class="about"><h1>{escape(model.title)}</h1><p>{about}</p></div>'


def _file_input(columns: Sequence[str]) -> str:
    names = escape(printable(", ".join(columns)))
    return (
        f'<div class="about"><p>At most {LARGEST_FILE // 2**20} MB and {MOST_ROWS:,} rows, with '
        f"the columns {names}. It is read into memory, and not kept.</p></div>"
        '<input type="file" id="table_file" aria-label="A CSV file" accept=".csv,text/csv">'
    )
