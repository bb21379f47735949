//! Where a fault can be sown in a source file.
//!
//! Only text is inserted, at the places of syntax: the file keeps its lines. What a fault needs of types is
//! guessed from names (`is_empty()` is a `bool`); a guess that does not compile is taken back by the build.

use std::ops::Range;

use anyhow::{Context, Result};
use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{BinOp, Block, Expr, ReturnType, Stmt, Type, UnOp};

use super::guess::{
    attributes, instead_of, is_bool, is_bool_method, is_skippable, is_test, other_method, takes_predicate,
};

/// Stands in inserted text for the question whether this fault is switched on.
pub(super) const ON: &str = "\u{1}";

/// Text inserted at a place in the file. At one place, what closes comes first.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Insertion {
    pub(super) at: usize,
    pub(super) opens: bool,
    /// The order in which the places were visited.
    order: usize,
    pub(super) text: String,
}

/// A fault that can be switched on.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) line: usize,
    /// The function that it is in, with its type, e.g. `Limits::hold`.
    pub(super) function: String,
    /// The text that it changes, in one line.
    pub(super) from: String,
    /// What becomes of it.
    pub(super) to: String,
    pub(super) insertions: Vec<Insertion>,
}

impl Fault {
    /// In one line.
    pub(super) fn shown(&self, file: &str) -> String {
        format!("{file}:{} {} {:?} {}", self.line, self.function, self.from, self.to)
    }
}

/// What a file has to offer.
#[derive(Default, Debug)]
pub(super) struct Found {
    pub(super) faults: Vec<Fault>,
    /// Functions that are left out: what is `const` cannot ask what is switched on.
    pub(super) const_functions: usize,
}

/// Finds the faults of a file.
///
/// # Errors
/// It is not Rust.
pub(super) fn find(source: &str) -> Result<Found> {
    let file = syn::parse_file(source).context("not Rust")?;
    let mut finder =
        Finder { source, path: Vec::new(), found: Found::default(), order: 0, undecided: Vec::new() };
    finder.visit_file(&file);
    Ok(finder.found)
}

struct Finder<'s> {
    source: &'s str,
    /// The types and functions around.
    path: Vec<String>,
    found: Found,
    order: usize,
    /// Variables that are declared without a value: to skip what sets them does not compile.
    undecided: Vec<String>,
}

/// A pair of texts around an expression, and what they make of it.
struct Around {
    open: String,
    close: String,
    to: String,
}

impl Around {
    fn negated() -> Self {
        Self { open: "((".into(), close: format!(") ^ {ON})"), to: "negated".into() }
    }

    /// `text` instead of the expression.
    fn instead(text: &str, to: &str) -> Self {
        Self { open: format!("(if {ON} {{ {text} }} else {{ "), close: " })".into(), to: to.into() }
    }
}

impl Finder<'_> {
    fn text(&self, span: Span) -> &str {
        &self.source[span.byte_range()]
    }

    fn insertion(&mut self, at: usize, opens: bool, text: impl Into<String>) -> Insertion {
        self.order += 1;
        Insertion { at, opens, order: self.order, text: text.into() }
    }

    fn note(&mut self, span: Span, to: String, insertions: Vec<Insertion>) {
        let from = self.text(span).split_whitespace().collect::<Vec<_>>().join(" ");
        let function = self.path.join("::");
        self.found.faults.push(Fault { line: span.start().line, function, from, to, insertions });
    }

    /// Puts the pairs around what `span` covers, and visits what is inside with `inside`.
    fn wrap(&mut self, span: Span, pairs: Vec<Around>, inside: impl FnOnce(&mut Self)) {
        let Range { start, end } = span.byte_range();
        let mut opened: Vec<(Insertion, Around)> = Vec::new();
        for pair in pairs {
            opened.push((self.insertion(start, true, pair.open.clone()), pair));
        }
        inside(self);
        for (open, pair) in opened.into_iter().rev() {
            let close = self.insertion(end, false, pair.close);
            self.note(span, pair.to, vec![open, close]);
        }
    }

    /// A place where a `bool` is expected.
    fn condition(&mut self, expr: &Expr) {
        match expr {
            Expr::Paren(inner) => self.condition(&inner.expr),
            Expr::Binary(_) | Expr::Unary(_) | Expr::Let(_) | Expr::Lit(_) | Expr::Block(_) => {
                self.visit_expr(expr);
            }
            _ if is_bool(expr) => self.visit_expr(expr),
            _ => self.wrap(expr.span(), vec![Around::negated()], |f| visit::visit_expr(f, expr)),
        }
    }

    /// The expression with one range of its text replaced.
    fn replaced(&self, whole: Span, part: Span, by: &str) -> String {
        let (whole, part) = (whole.byte_range(), part.byte_range());
        [&self.source[whole.start..part.start], by, &self.source[part.end..whole.end]].concat()
    }

    /// What the function's result can be instead, at once.
    fn function(&mut self, name: String, output: &ReturnType, block: &Block) {
        self.path.push(name);
        if let ReturnType::Type(_, result) = output {
            let body = self.text(block.span()).trim_matches(['{', '}']).trim().to_owned();
            for value in instead_of(result).into_iter().filter(|value| *value != body) {
                let at = block.brace_token.span.open().byte_range().end;
                let text = format!(" if {ON} {{ return {value}; }} ");
                let insertion = self.insertion(at, true, text);
                self.note(output.span(), format!("returns {value}"), vec![insertion]);
            }
        }
        self.visit_block(block);
        self.path.pop();
    }

    fn inside(&mut self, name: String, visit: impl FnOnce(&mut Self)) {
        self.path.push(name);
        visit(self);
        self.path.pop();
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    // -- what is left out --

    fn visit_item_const(&mut self, _: &'ast syn::ItemConst) {}
    fn visit_item_static(&mut self, _: &'ast syn::ItemStatic) {}
    fn visit_impl_item_const(&mut self, _: &'ast syn::ImplItemConst) {}
    fn visit_trait_item_const(&mut self, _: &'ast syn::TraitItemConst) {}
    fn visit_expr_const(&mut self, _: &'ast syn::ExprConst) {}
    fn visit_item_enum(&mut self, _: &'ast syn::ItemEnum) {}
    fn visit_item_struct(&mut self, _: &'ast syn::ItemStruct) {}
    fn visit_type(&mut self, _: &'ast Type) {}
    fn visit_pat(&mut self, _: &'ast syn::Pat) {}
    fn visit_path(&mut self, _: &'ast syn::Path) {}
    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}
    fn visit_macro(&mut self, _: &'ast syn::Macro) {}

    fn visit_expr_repeat(&mut self, repeat: &'ast syn::ExprRepeat) {
        self.visit_expr(&repeat.expr);
    }

    // -- where we are --

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !is_test(&module.attrs) {
            self.inside(module.ident.to_string(), |f| visit::visit_item_mod(f, module));
        }
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let shows = |path: &syn::Path| {
            path.segments.last().is_some_and(|s| s.ident == "Debug" || s.ident == "Display")
        };
        if is_test(&item.attrs) || item.trait_.as_ref().is_some_and(|(_, path, _)| shows(path)) {
            return;
        }
        let name = match &*item.self_ty {
            Type::Path(path) => path.path.segments.last().map(|s| s.ident.to_string()),
            _ => None,
        };
        self.inside(name.unwrap_or_else(|| "impl".into()), |f| visit::visit_item_impl(f, item));
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.inside(item.ident.to_string(), |f| visit::visit_item_trait(f, item));
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.any_function(&item.attrs, &item.sig, Some(&item.block));
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.any_function(&item.attrs, &item.sig, Some(&item.block));
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        self.any_function(&item.attrs, &item.sig, item.default.as_ref());
    }

    // -- faults --

    fn visit_stmt(&mut self, stmt: &'ast Stmt) {
        match stmt {
            Stmt::Local(local) if is_test(&local.attrs) => {}
            Stmt::Local(local) => {
                if local.init.is_none() {
                    self.undecided.push(self.text(local.pat.span()).trim_start_matches("mut ").to_owned());
                }
                visit::visit_stmt(self, stmt);
            }
            Stmt::Expr(expr, Some(_)) if is_skippable(expr) => {
                let text = self.text(expr.span());
                let counts = ["metrics::", "tracing::"].iter().any(|start| text.starts_with(start));
                let decides = matches!(expr, Expr::Assign(a) if self.undecided.iter().any(|u| u == self.text(a.left.span())));
                if counts || decides || is_test(attributes(expr)) {
                    return;
                }
                let skip = Around { open: format!("if !{ON} {{ "), close: " }".into(), to: "skipped".into() };
                self.wrap(stmt.span(), vec![skip], |f| visit::visit_stmt(f, stmt));
            }
            _ => visit::visit_stmt(self, stmt),
        }
    }

    fn visit_expr_if(&mut self, expr: &'ast syn::ExprIf) {
        if is_test(&expr.attrs) {
            return;
        }
        self.condition(&expr.cond);
        self.visit_block(&expr.then_branch);
        if let Some((_, otherwise)) = &expr.else_branch {
            self.visit_expr(otherwise);
        }
    }

    fn visit_expr_while(&mut self, expr: &'ast syn::ExprWhile) {
        self.condition(&expr.cond);
        self.visit_block(&expr.body);
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        if is_test(&arm.attrs) {
            return;
        }
        if let Some((_, guard)) = &arm.guard {
            self.condition(guard);
        }
        self.visit_expr(&arm.body);
    }

    fn visit_expr_unary(&mut self, expr: &'ast syn::ExprUnary) {
        let pairs = if matches!(expr.op, UnOp::Not(_)) { vec![Around::negated()] } else { Vec::new() };
        self.wrap(expr.span(), pairs, |f| match &*expr.expr {
            // Negated once is enough.
            Expr::MethodCall(call) => f.method_call(call, false),
            Expr::Macro(_) => {}
            inner => f.visit_expr(inner),
        });
    }

    fn visit_expr_binary(&mut self, expr: &'ast syn::ExprBinary) {
        let (whole, op) = (expr.span(), expr.op.span());
        let swapped = |f: &Self, by: &str| Around::instead(&f.replaced(whole, op, by), by);
        let pairs = match expr.op {
            BinOp::Eq(_) | BinOp::Ne(_) => vec![Around::negated()],
            BinOp::Lt(_) => vec![Around::negated(), swapped(self, "<=")],
            BinOp::Le(_) => vec![Around::negated(), swapped(self, "<")],
            BinOp::Gt(_) => vec![Around::negated(), swapped(self, ">=")],
            BinOp::Ge(_) => vec![Around::negated(), swapped(self, ">")],
            BinOp::Add(_) => vec![swapped(self, "-")],
            BinOp::Sub(_) => vec![swapped(self, "+")],
            BinOp::Mul(_) => vec![swapped(self, "/")],
            BinOp::Div(_) => vec![swapped(self, "*")],
            BinOp::BitAnd(_) => vec![swapped(self, "|")],
            BinOp::BitOr(_) => vec![swapped(self, "&")],
            BinOp::And(_) | BinOp::Or(_) => return self.and_or(expr),
            _ => Vec::new(),
        };
        self.wrap(whole, pairs, |f| visit::visit_expr_binary(f, expr));
    }

    fn visit_expr_macro(&mut self, expr: &'ast syn::ExprMacro) {
        if expr.mac.path.is_ident("matches") {
            self.wrap(expr.span(), vec![Around::negated()], |_| {});
        }
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.method_call(call, true);
    }
}

impl Finder<'_> {
    fn method_call(&mut self, call: &syn::ExprMethodCall, negates: bool) {
        let (name, whole) = (call.method.to_string(), call.span());
        let mut pairs = Vec::new();
        if negates && is_bool_method(&name) {
            pairs.push(Around::negated());
        }
        if let Some(other) = other_method(&name) {
            pairs.push(Around::instead(&self.replaced(whole, call.method.span(), other), other));
        }
        let takes_bool = name == "then" || name == "then_some";
        self.wrap(whole, pairs, |f| {
            if takes_bool {
                f.condition(&call.receiver);
            } else {
                f.visit_expr(&call.receiver);
            }
            for argument in &call.args {
                match argument {
                    Expr::Closure(closure) if takes_predicate(&name) => f.condition(&closure.body),
                    other => f.visit_expr(other),
                }
            }
        });
    }

    fn any_function(
        &mut self,
        attributes: &[syn::Attribute],
        signature: &syn::Signature,
        block: Option<&Block>,
    ) {
        let Some(block) = block else { return };
        if is_test(attributes) || attributes.iter().any(|a| a.path().is_ident("test")) {
            return;
        }
        if signature.constness.is_some() {
            self.found.const_functions += 1;
            return;
        }
        self.function(signature.ident.to_string(), &signature.output, block);
    }

    /// `a && b` as `a || b` and the reverse, without writing either of them twice: with all three negated,
    /// one is the other. A chain with `let` in it has to stay one.
    fn and_or(&mut self, expr: &syn::ExprBinary) {
        if has_let(&expr.left) || has_let(&expr.right) {
            self.condition(&expr.left);
            self.condition(&expr.right);
            return;
        }
        let whole = expr.span();
        let mut insertions = vec![self.insertion(whole.byte_range().start, true, "((")];
        for side in [&expr.left, &expr.right] {
            let Range { start, end } = side.span().byte_range();
            insertions.push(self.insertion(start, true, "("));
            self.condition(side);
            insertions.push(self.insertion(end, false, format!(") ^ {ON}")));
        }
        insertions.push(self.insertion(whole.byte_range().end, false, format!(") ^ {ON})")));
        let other = if matches!(expr.op, BinOp::And(_)) { "||" } else { "&&" };
        self.note(whole, other.into(), insertions);
    }
}

fn has_let(expr: &Expr) -> bool {
    match expr {
        Expr::Let(_) => true,
        Expr::Binary(binary) => {
            matches!(binary.op, BinOp::And(_)) && (has_let(&binary.left) || has_let(&binary.right))
        }
        _ => false,
    }
}
