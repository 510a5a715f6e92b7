"""unitylab: explore machine-learning compilation in the style of TVM Unity, step by step."""
