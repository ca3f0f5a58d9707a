"""The command line around an environment: what a stack file declares, for people and for what lies outside of it."""
