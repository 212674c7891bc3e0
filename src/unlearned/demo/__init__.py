"""The demonstration: two concepts that the embedded model knows are forgotten, and what happened is measured."""
