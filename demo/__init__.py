"""The Slipstream demo: a Gradio app over the package's public API. Start it with `python demo/app.py`."""
