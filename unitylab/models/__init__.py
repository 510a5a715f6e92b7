"""Small real models to explore, trained on data that comes with scikit-learn."""
