"""Random lives of points through HTTP, each answer and the database against a plain model; see test_model.py."""
