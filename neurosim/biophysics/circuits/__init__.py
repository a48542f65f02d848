"""The circuits with a name, one file each: options, builder, what they take, what to cite."""
