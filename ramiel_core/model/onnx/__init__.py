"""ONNX operators as torch calls: a table of small functions, one an operator."""
