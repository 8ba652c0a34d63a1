"""What a journey is: definitions, conditions, durations, and their JSON and YAML.

Nothing here acts, reads a clock or touches a file. Import the submodules: this
package imports none of them, so that the engine can use the conditions and durations
without paying for pydantic.
"""
