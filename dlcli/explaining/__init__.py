"""What a network looks at: pure functions over a module and its inputs."""
