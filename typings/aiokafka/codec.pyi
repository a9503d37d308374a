from types import ModuleType

cramjam: ModuleType | None
